"""Brings the two files up to this release: numbered migrations, each in a transaction, safe when processes race."""

import time
from importlib import resources
from pathlib import Path

import apsw

from secretsd.adapters.sqlite.connections import AUDIT, MAIN, Use, connect, create_file
from secretsd.domain.errors import StorageUnavailable

_WAIT_MS = 30_000


def migrations(database: str) -> list[str]:
    """The migrations of `main` or `audit`, in order; number n stands at n - 1."""
    folder = resources.files(__package__).joinpath("migrations", database)
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name)
    for number, entry in enumerate(files, 1):
        if not entry.name.startswith(f"{number:04}_"):
            raise ValueError(f"cannot order the migrations of {database}: number {number:04} is missing or twice there")
    return [entry.read_text(encoding="utf-8") for entry in files]


def migrate(directory: Path) -> None:
    """Create or upgrade both files. StorageUnavailable when a newer release has written them; apsw.Error, OSError."""
    for file, database in ((MAIN, "main"), (AUDIT, "audit")):
        create_file(directory / file)
        connection = connect(directory / file, Use.WRITE_DURABLY, _WAIT_MS)
        try:
            _upgrade(connection, migrations(database), file)
        finally:
            connection.close()


def _upgrade(connection: apsw.Connection, wanted: list[str], file: str) -> None:
    # Looked at first, so that a file of a newer release is left exactly as it is.
    _refuse_newer(connection, wanted, file)
    _use_write_ahead_log(connection, file)
    while True:
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Looked at again under the lock: another process may have done it meanwhile.
            version = _refuse_newer(connection, wanted, file)
            if version < len(wanted):
                connection.execute(wanted[version])
                connection.pragma("user_version", version + 1)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        if version >= len(wanted):
            return


def _refuse_newer(connection: apsw.Connection, wanted: list[str], file: str) -> int:
    version = int(connection.pragma("user_version"))
    if version > len(wanted):
        raise StorageUnavailable(
            f"cannot use the storage: a newer release wrote {file} (schema {version}, this release knows {len(wanted)})"
        )
    return version


def _use_write_ahead_log(connection: apsw.Connection, file: str) -> None:
    """Changing the mode needs the file alone and does not wait by itself; the mode stays with the file."""
    deadline = time.monotonic() + _WAIT_MS / 1000
    while True:
        try:
            mode = connection.pragma("journal_mode", "wal")
        except apsw.BusyError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
            continue
        if mode != "wal":
            raise StorageUnavailable(f"cannot use the storage: {file} cannot have a write-ahead log here")
        return
