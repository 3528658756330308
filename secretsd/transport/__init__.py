"""Bytes in and out: listeners, connections, and what a connection proves about its peer."""
