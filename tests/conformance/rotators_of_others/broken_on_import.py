"""A rotator that cannot even be imported."""

raise RuntimeError("what a module says while it is imported, s3cret-0 included")
