"""The rotators that come with secretsd: one module for each kind of credential, found by entry point, run by the rotator host."""
