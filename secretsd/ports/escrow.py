"""The escrow: candidates on their way to a target, kept outside storage, so that an old backup locks nobody out."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from secretsd.domain.keys import CMK, WrappedKey
from secretsd.domain.rotation import Rotation
from secretsd.domain.secrets import SealedValue, Secret, SecretVersion

CandidateName = tuple[str, str, str]
"""Account, secret id and version id."""


@dataclass(frozen=True, slots=True)
class EscrowEntry:
    """A candidate right before its first effect: its version and sealed value, secret and rotation as of then.

    `rotation` is the one that is about to be stored, under the revision of the one that is: a storage whose rotation
    has no later revision has not heard of what followed. `epoch` is the lease's. `key` and `key_version` are those that
    the value is under, for a storage from before they were made; an earlier release kept none.
    """

    time_ms: int
    epoch: int
    secret: Secret
    rotation: Rotation
    version: SecretVersion
    sealed: SealedValue
    key: CMK | None = None
    key_version: WrappedKey | None = None

    @property
    def name(self) -> CandidateName:
        """Which candidate; one that was begun twice has two entries."""
        return self.version.account, self.version.secret_id, self.version.id


class Escrow(Protocol):
    """Outside storage, and only ever appended to, save for `drop`. Several nodes may use it at once.

    Values are sealed as in storage; every entry is authenticated.
    """

    async def keep(self, entry: EscrowEntry) -> None:
        """Durable when it returns; StorageUnavailable otherwise, and then no effect may follow."""
        ...

    async def entries(self, wanted: Callable[[EscrowEntry], bool] | None = None) -> Sequence[EscrowEntry]:
        """All that is kept, oldest first. A torn last entry is none; one that cannot be trusted is left out, and told.

        With `wanted` only those for which it returns True are held in memory; it sees all of them in order, and may be
        called in another thread. Raises StorageUnavailable where the escrow cannot be read.
        """
        ...

    async def replace(self, changed: Sequence[tuple[EscrowEntry, EscrowEntry]]) -> int:
        """Put the second of each pair in the place of the first, where that is still there; how many that were.

        For candidates that are sealed anew. All of them durably or none: StorageUnavailable, and then none is lost.
        """
        ...

    async def drop(self, names: Collection[CandidateName]) -> int:
        """Forget these candidates for good; how many entries that were. StorageUnavailable, and then none is lost.

        What cannot be trusted stays: it may be another key's.
        """
        ...
