"""Storage in SQLite files: the embedded default, for one host and any number of worker processes on it."""

from secretsd.adapters.sqlite.storage import SqliteStorage, open_storage

__all__ = ["SqliteStorage", "open_storage"]
