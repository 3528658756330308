"""CMKs and their versions: what a key is, which states it has and which moves between them are legal."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from secretsd.domain.errors import InvalidKeyUsage, InvalidState, KeyDisabled


class KeySpec(Enum):
    """What kind of material a CMK is."""

    AES_256 = "AES_256"


class KeyUsage(Enum):
    """What a CMK may be used for."""

    ENCRYPT_DECRYPT = "ENCRYPT_DECRYPT"


class KeyOrigin(Enum):
    """Where the material came from."""

    HSM = "HSM"


class ProtectionLevel(Enum):
    """Where the material is while it is used."""

    HSM = "HSM"


class KeyOwner(Enum):
    """Who decides about a key: the account's people, or the daemon itself (an account's default key)."""

    CUSTOMER = "customer"
    SERVICE = "service"


class KeyState(Enum):
    """The life of a CMK."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    PENDING_DELETION = "pending-deletion"


TRANSITIONS: dict[KeyState, frozenset[KeyState]] = {
    KeyState.ENABLED: frozenset({KeyState.DISABLED, KeyState.PENDING_DELETION}),
    KeyState.DISABLED: frozenset({KeyState.ENABLED, KeyState.PENDING_DELETION}),
    KeyState.PENDING_DELETION: frozenset({KeyState.DISABLED}),
}


@dataclass(frozen=True, slots=True)
class KeyMetadata:
    """What a key version is bound to when it is made; the HSM's MAC over the wrapped key covers all of it.

    `key_id` is a UUID in its 36-character form, `version` starts at 1.
    """

    account: str
    key_id: str
    version: int
    spec: KeySpec = KeySpec.AES_256
    usage: KeyUsage = KeyUsage.ENCRYPT_DECRYPT
    origin: KeyOrigin = KeyOrigin.HSM
    protection_level: ProtectionLevel = ProtectionLevel.HSM


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A key version as storage holds it: wrapped by the root KEK `kek_id`, MACed by the HSM with its metadata.

    Only the key store can open `blob`; `mac` covers every other field (SECURITY point 7, CMK rows).
    """

    account: str
    key_id: str
    version: int
    spec: KeySpec
    usage: KeyUsage
    origin: KeyOrigin
    protection_level: ProtectionLevel
    suite: int
    kek_id: str
    blob: bytes
    mac: bytes
    revision: int = 0

    @property
    def metadata(self) -> KeyMetadata:
        """The part that is known before the key is made."""
        return KeyMetadata(
            self.account, self.key_id, self.version, self.spec, self.usage, self.origin, self.protection_level
        )


@dataclass(frozen=True, slots=True)
class CMK:
    """A customer master key: its state and description; the material is in its versions (`WrappedKey`)."""

    account: str
    id: str
    state: KeyState
    spec: KeySpec
    usage: KeyUsage
    origin: KeyOrigin
    protection_level: ProtectionLevel
    owner: KeyOwner
    description: str
    current_version: int
    created_ms: int
    deletion_ms: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    revision: int = 0

    def become(self, state: KeyState) -> "CMK":
        """The key in its next state; an illegal move raises InvalidState."""
        if state not in TRANSITIONS[self.state]:
            raise InvalidState(f"cannot move key {self.id} from {self.state.value} to {state.value}")
        return replace(self, state=state)

    def require_usable(self, usage: KeyUsage) -> None:
        """Raise KeyDisabled, InvalidState or InvalidKeyUsage unless the key may be used so now."""
        if self.state is KeyState.DISABLED:
            raise KeyDisabled(f"cannot use key {self.id}: it is disabled")
        if self.state is not KeyState.ENABLED:
            raise InvalidState(f"cannot use key {self.id}: it is {self.state.value}")
        if self.usage is not usage:
            raise InvalidKeyUsage(f"cannot use key {self.id} for {usage.value}")
