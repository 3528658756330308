"""When proofs were used last: written now and then, in a thread, beside the events of reads."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import apsw

from secretsd.adapters.sqlite.connections import AUDIT, Reopening, Use, connect, fetch, report, unavailable
from secretsd.adapters.sqlite.reads import Reads
from secretsd.adapters.sqlite.statements import load
from secretsd.domain.errors import Internal, StorageUnavailable
from secretsd.ports.storage import ProofUse

USE_QUERIES = load("uses.sql")
_SQL = {name: statement.sql for name, statement in USE_QUERIES.items()}
AT_ONCE = 200
"""Rows in one commit: whoever records an event meanwhile waits for a millisecond or two."""
_BUSY_MS = 5_000


class SqliteProofUses:
    """Its commits are handed to the operating system and do not wait for the disk: what they say decides nothing."""

    def __init__(self, directory: Path, reads: Reads) -> None:
        self._reads = reads
        self._connection = Reopening(lambda: connect(directory / AUDIT, Use.WRITE_BUFFERED, _BUSY_MS))
        self._turn = asyncio.Lock()
        self._closed = False

    async def note(self, uses: Sequence[ProofUse]) -> None:
        """Keep them, and let go of what has been kept long enough by the latest of their times."""
        async with self._turn:
            if self._closed:
                raise StorageUnavailable("cannot use the storage: it is closed")
            if uses:
                await asyncio.to_thread(self._note, uses)

    async def of(self, proofs: Sequence[str]) -> Sequence[ProofUse]:
        """The last uses of proofs, of those that have one."""

        def read(_: apsw.Connection, audit: apsw.Connection) -> list[ProofUse]:
            return [ProofUse(*row) for proof in proofs for row in fetch(audit, _SQL["use"], (proof,))]

        return await self._reads.long(read) if proofs else ()

    async def close(self) -> None:
        """Let go of the file."""
        async with self._turn:
            self._closed = True
            self._connection.drop()

    def _note(self, uses: Sequence[ProofUse]) -> None:
        now_ms = max(use.time_ms for use in uses)
        try:
            connection = self._connection.get()
            for start in range(0, len(uses), AT_ONCE):
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(_SQL["note_use"], [tuple(use) for use in uses[start : start + AT_ONCE]])
                connection.execute(_SQL["forget_uses"], (now_ms, AT_ONCE))
                connection.execute("COMMIT")
        except apsw.Error as error:
            report("noting uses of proofs", error)
            self._connection.drop()
            raise unavailable(error) from None
        except (UnicodeEncodeError, OverflowError) as error:
            report("noting uses of proofs", error)
            self._connection.drop()
            raise Internal from None
