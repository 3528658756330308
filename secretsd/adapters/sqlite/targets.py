"""Reads the targets of rotations, and which secret holds which login there."""

from collections.abc import Sequence

from secretsd.adapters.sqlite.reads import Reads
from secretsd.domain.names import SYSTEM_ACCOUNT
from secretsd.domain.targets import Target, TargetLogin


class SqliteTargets:
    """A TargetReader."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def get(self, name: str) -> Target:
        """The target; NotFound."""
        return await self._reads.one(Target, "target", (SYSTEM_ACCOUNT, name), "cannot find the target")

    async def page(self, after: str, limit: int) -> Sequence[Target]:
        """A page of targets, in order of name."""
        return await self._reads.many(Target, "targets", (SYSTEM_ACCOUNT, after, limit))

    async def login(self, target: str, login: str) -> TargetLogin:
        """Who holds the login; NotFound."""
        return await self._reads.one(
            TargetLogin, "target_login", (target, login), "cannot find the login at the target"
        )

    async def logins(self, target: str, after: str, limit: int) -> Sequence[TargetLogin]:
        """A page of the logins held at a target, in order."""
        return await self._reads.many(TargetLogin, "target_logins", (target, after, limit))
