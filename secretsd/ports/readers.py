"""What storage can be asked about what it keeps: each kind of record by its key, in pages, and by what is due.

Who may use it stands in access_readers. What returns one record raises NotFound, and TamperedRecord when an
authenticator does not match.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from secretsd.domain.key_specs import KeySpec, KeyUsage
from secretsd.domain.keys import CMK, Alias, KeyOrigin, KeyOwner, KeyState, ProtectionLevel, WrappedKey
from secretsd.domain.reencryption import ReEncryption
from secretsd.domain.rotation import Rotation, RotationState, RotationStep
from secretsd.domain.secrets import SealedValue, Secret, SecretVersion
from secretsd.domain.targets import Target, TargetLogin


@dataclass(frozen=True, slots=True)
class KeyFilter:
    """Which keys are wanted, all conditions together; None and no tags mean any. Without `destroyed` no tombstones."""

    state: KeyState | None = None
    spec: KeySpec | None = None
    usage: KeyUsage | None = None
    origin: KeyOrigin | None = None
    protection_level: ProtectionLevel | None = None
    owner: KeyOwner | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    destroyed: bool = True


ANY_KEY = KeyFilter()


class KeyReader(Protocol):
    """CMKs and their wrapped versions."""

    async def get(self, account: str, key_id: str) -> CMK: ...
    async def by_id(self, key_id: str) -> CMK:
        """The key, whosever it is: whoever asks for it still has to be allowed to."""
        ...

    async def version(self, account: str, key_id: str, version: int) -> WrappedKey: ...
    async def page(self, account: str, after: str, limit: int, wanted: KeyFilter = ANY_KEY) -> Sequence[CMK]:
        """Keys whose ids come after `after` and that are as wanted, in order of id."""
        ...

    async def versions(self, account: str, key_id: str, before: int, limit: int) -> Sequence[WrappedKey]:
        """Versions of a key whose numbers are below `before`, the newest first."""
        ...

    async def alias(self, account: str, name: str) -> Alias: ...
    async def aliases(self, account: str, after: str, limit: int, key_id: str | None = None) -> Sequence[Alias]:
        """Aliases whose names come after `after`, of one key or of all of the account's, in order of name."""
        ...

    async def due(self, now_ms: int, limit: int) -> Sequence[CMK]:
        """Keys of all accounts that are to be destroyed, to be rotated, or whose material has expired by now.

        At most `limit` of each of the three, the longest overdue first, so that none of them waits for the others.
        """
        ...

    async def guards(self, key_id: str, limit: int) -> int:
        """How many secret versions, of whatever account, have their data keys under any version of a key.

        Counted up to `limit`.
        """
        ...

    async def guarded(self, key_id: str, version: int, after: tuple[str, str], limit: int) -> Sequence[SecretVersion]:
        """Secret versions, of whatever account, whose data keys are under that version of a key, in order of ids.

        `after` is the secret id and the version id of the one to go on behind; two empty texts begin.
        """
        ...

    async def guard_count(self, key_id: str, below: int) -> int:
        """How many secret versions, of whatever account, are under versions of a key below that one."""
        ...

    async def reencryption(self, account: str, key_id: str) -> ReEncryption: ...
    async def reencryptions_due(self, now_ms: int, limit: int) -> Sequence[ReEncryption]:
        """Re-encryptions of all accounts that go on by now, the longest due first."""
        ...

    async def wrapped_otherwise(self, kek_id: str, after: tuple[str, str, int], limit: int) -> Sequence[WrappedKey]:
        """Key versions of all accounts that need another root KEK, in order of key.

        It wraps their material; or that is imported, away, and known again by that root alone.
        `after` is account, key id and version of the one to go on behind.
        """
        ...

    async def count_wrapped_otherwise(self, kek_id: str) -> int:
        """How many key versions of all accounts have their material wrapped by another root KEK; walks through all."""
        ...


class SecretReader(Protocol):
    """Secrets, their versions and sealed values."""

    async def get(self, account: str, name: str) -> Secret: ...
    async def version(self, account: str, secret_id: str, version_id: str) -> SecretVersion: ...
    async def value(self, account: str, secret_id: str, version_id: str) -> SealedValue: ...
    async def page(
        self, account: str, prefix: str, tags: Mapping[str, str], after: str, limit: int, include_deleted: bool
    ) -> Sequence[Secret]:
        """Secrets by name: those after `after` that start with `prefix` and carry every tag given."""
        ...

    async def versions(self, account: str, secret_id: str, before: int, limit: int) -> Sequence[SecretVersion]:
        """Versions whose numbers are below `before`, the newest first."""
        ...

    async def prunable(
        self, account: str, secret_id: str, labelled: Sequence[str], created_before_ms: int, keep: int, limit: int
    ) -> Sequence[SecretVersion]:
        """Unlabelled versions past the newest `keep` of them that were made before the moment; the oldest first."""
        ...

    async def deletions_due(self, now_ms: int, limit: int) -> Sequence[Secret]:
        """Secrets of all accounts whose recovery window has ended."""
        ...


class RotationReader(Protocol):
    """How secrets are rotated."""

    async def get(self, account: str, secret_id: str) -> Rotation: ...
    async def due(self, now_ms: int, limit: int) -> Sequence[Rotation]:
        """Rotations of all accounts whose `next_due_ms` has come, save quarantined ones; the oldest due first.

        A rotation stays due until it is done, so what a crash left between two steps is here as well.
        """
        ...

    async def next_due_ms(self) -> int | None:
        """The earliest moment at which a rotation that is not quarantined is due."""
        ...

    async def page(self, account: str, after: str, limit: int) -> Sequence[Rotation]:
        """Rotations of an account whose secrets' ids come after `after`, in order of id."""
        ...

    async def states(self) -> Mapping[RotationState, int]:
        """How many rotations of all accounts are in which state, zeros left out; a figure that decides nothing."""
        ...

    async def steps(self, account: str, secret_id: str, before: int, limit: int) -> Sequence[RotationStep]:
        """Entries of the history whose numbers are below `before`, the newest first."""
        ...


class TargetReader(Protocol):
    """Targets, which belong to account `system`, and which secret holds which login. NotFound, TamperedRecord."""

    async def get(self, name: str) -> Target: ...
    async def page(self, after: str, limit: int) -> Sequence[Target]:
        """Targets whose names come after `after`, in order of name."""
        ...

    async def login(self, target: str, login: str) -> TargetLogin: ...
    async def logins(self, target: str, after: str, limit: int) -> Sequence[TargetLogin]:
        """The logins that are held at a target, those after `after`, in order."""
        ...
