"""The kill hunt: kills the daemon's processes at chosen moments under load, and holds what is left against a model."""
