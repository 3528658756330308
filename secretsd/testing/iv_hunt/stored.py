"""Reads what storage holds under keys: the data key of every secret version, and its value."""

from pathlib import Path

from secretsd.adapters.sqlite.connections import MAIN, Use, connect, fetch
from secretsd.testing.iv_hunt.ledger import Ledger

_BUSY_MS = 5_000


class Stored:
    """The secret values in `storage`, each read once; also those whose writers were never answered."""

    def __init__(self, storage: Path, ledger: Ledger) -> None:
        self._file, self._ledger = storage / MAIN, ledger
        self._seen = 0
        self.values = 0

    def look(self) -> None:
        """Enter what is new since the last look."""
        connection = connect(self._file, Use.READ, _BUSY_MS)
        try:
            rows = fetch(
                connection,
                "SELECT rowid, data_key, value FROM secret_values WHERE rowid > ? ORDER BY rowid",
                (self._seen,),
            )
        finally:
            connection.close()
        for rowid, data_key, value in rows:
            self._seen = int(rowid)
            self.values += 1
            self._ledger.ciphertext(bytes(data_key), answered=False)
            self._ledger.value(bytes(value))
