"""Reads how secrets are rotated, and which rotations are due."""

from collections.abc import Sequence

from secretsd.adapters.sqlite.reads import Reads
from secretsd.domain.rotation import Rotation


class SqliteRotations:
    """A RotationReader."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def get(self, account: str, secret_id: str) -> Rotation:
        """The rotation; NotFound."""
        return await self._reads.one(Rotation, "rotation", (account, secret_id), "cannot find a rotation of the secret")

    async def due(self, now_ms: int, limit: int) -> Sequence[Rotation]:
        """Rotations that are due or were left unfinished, the oldest due first."""
        return await self._reads.many(Rotation, "rotations_due", (now_ms, limit))

    async def next_due_ms(self) -> int | None:
        """The earliest due moment."""
        rows = await self._reads.rows("next_due", ())
        return None if rows[0][0] is None else int(rows[0][0])
