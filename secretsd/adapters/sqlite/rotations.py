"""Reads how secrets are rotated, which rotations are due, and what they did."""

from collections.abc import Mapping, Sequence

import apsw

from secretsd.adapters.sqlite.connections import fetch
from secretsd.adapters.sqlite.reads import RECORD_QUERIES, Reads
from secretsd.domain.rotation import Rotation, RotationState, RotationStep

_STATES = {state.value: state for state in RotationState}


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

    async def page(self, account: str, after: str, limit: int) -> Sequence[Rotation]:
        """A page of an account's rotations, in order of the secrets' ids."""
        return await self._reads.many(Rotation, "rotations", (account, after, limit))

    async def states(self) -> Mapping[RotationState, int]:
        """How many there are in each state."""
        sql = RECORD_QUERIES["rotation_states"].sql

        def count(main: apsw.Connection, _: apsw.Connection) -> dict[RotationState, int]:
            counted = fetch(main, sql, ())
            return {_STATES[str(state)]: int(number) for state, number in counted if state in _STATES}

        return await self._reads.long(count)

    async def steps(self, account: str, secret_id: str, before: int, limit: int) -> Sequence[RotationStep]:
        """A page of a rotation's history, the newest first."""
        return await self._reads.many(RotationStep, "rotation_steps", (account, secret_id, before, limit))
