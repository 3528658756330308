"""The escrow: candidates on their way to a target, kept outside storage, so that an old backup locks nobody out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from secretsd.domain.rotation import Rotation
from secretsd.domain.secrets import SealedValue, Secret, SecretVersion


@dataclass(frozen=True, slots=True)
class EscrowEntry:
    """A candidate right before its first effect: its version and sealed value, secret and rotation as of then."""

    time_ms: int
    epoch: int
    secret: Secret
    rotation: Rotation
    version: SecretVersion
    sealed: SealedValue


class Escrow(Protocol):
    """Append-only and outside storage. Values are sealed as in storage; every record is authenticated."""

    async def keep(self, entry: EscrowEntry) -> None:
        """Durable when it returns; StorageUnavailable otherwise, and then no effect may follow."""
        ...

    async def entries(self) -> Sequence[EscrowEntry]:
        """All that is kept, oldest first. A torn last entry is none; one that cannot be trusted is left out."""
        ...
