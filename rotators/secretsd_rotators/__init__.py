"""The rotators that come with secretsd: one module a kind of credential, found by entry point, run apart."""
