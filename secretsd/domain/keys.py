"""CMKs and their versions: what a key is, which states it has and which moves between them are legal."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from secretsd.domain.envelope import SUITE_AES_256_CBC_HMAC
from secretsd.domain.errors import InvalidKeyUsage, InvalidState, KeyDisabled
from secretsd.domain.key_specs import SPECS, KeySpec, KeyUsage


class KeyOrigin(Enum):
    """Where the material came from: made in the HSM, or imported by its owner."""

    HSM = "HSM"
    EXTERNAL = "EXTERNAL"


class ProtectionLevel(Enum):
    """Where the material is while it is used. SOFTWARE: in memory then, and wrapped by the HSM at rest."""

    HSM = "HSM"
    SOFTWARE = "SOFTWARE"


def protection_level(spec: KeySpec) -> ProtectionLevel:
    """Where the material of such a key is while it is used."""
    return ProtectionLevel.SOFTWARE if SPECS[spec].software else ProtectionLevel.HSM


class KeyOwner(Enum):
    """Who decides about a key: the account's people, or the daemon itself (an account's default key)."""

    CUSTOMER = "customer"
    SERVICE = "service"


class KeyState(Enum):
    """The life of a CMK. DESTROYED is the end: the material is gone, and the row stays as its tombstone."""

    PENDING_IMPORT = "pending-import"
    ENABLED = "enabled"
    DISABLED = "disabled"
    PENDING_DELETION = "pending-deletion"
    DESTROYED = "destroyed"


TRANSITIONS: dict[KeyState, frozenset[KeyState]] = {
    # Imported material that is deleted, or has expired, may be imported again.
    KeyState.PENDING_IMPORT: frozenset({KeyState.ENABLED, KeyState.PENDING_DELETION}),
    KeyState.ENABLED: frozenset({KeyState.DISABLED, KeyState.PENDING_DELETION, KeyState.PENDING_IMPORT}),
    KeyState.DISABLED: frozenset({KeyState.ENABLED, KeyState.PENDING_DELETION, KeyState.PENDING_IMPORT}),
    # A deletion that is cancelled leaves the key disabled, or waiting for the material that it never had.
    KeyState.PENDING_DELETION: frozenset({KeyState.DISABLED, KeyState.PENDING_IMPORT, KeyState.DESTROYED}),
    KeyState.DESTROYED: frozenset(),
}
MIN_DELETION_DAYS, MAX_DELETION_DAYS = 7, 366
SEALED_MAC_KEY_BYTES = 40 + 32
"""The end of an imported key's blob in suite 2: the MAC key that the HSM made for it, wrapped, and a seal on it."""
MIN_ROTATION_DAYS, MAX_ROTATION_DAYS = 7, 2560


class KeyVersionState(Enum):
    """The life of a key version. Its blob is there while it is LIVE; imported material that is ABSENT may come back."""

    LIVE = "live"
    ABSENT = "absent"
    DESTROYED = "destroyed"


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

    Only the key store can open `blob`; `mac` covers every other field (SECURITY point 7, CMK rows) save those that are
    storage's own: `revision`, `created_ms`, `state`. `suite` says which ciphertexts the key makes
    (`domain/envelope.py`), 0 where it makes none. `public_key` is a SubjectPublicKeyInfo in DER (RFC 5280), b"" for
    symmetric keys. `fingerprint` is the HSM's keyed digest of imported material, which knows it again (SECURITY 4).
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
    public_key: bytes = b""
    fingerprint: bytes = b""
    created_ms: int = 0
    state: KeyVersionState = KeyVersionState.LIVE

    def require_live(self) -> None:
        """Raise InvalidState unless the version's material is there."""
        if self.state is not KeyVersionState.LIVE:
            raise InvalidState(f"cannot use version {self.version} of key {self.key_id}: it is {self.state.value}")

    @property
    def has_sealed_mac_key(self) -> bool:
        """Whether the HSM made a MAC key for the imported material, without which its ciphertexts stay closed."""
        return self.origin is KeyOrigin.EXTERNAL and self.suite == SUITE_AES_256_CBC_HMAC

    def without_material(self) -> "WrappedKey":
        """The row that stays of imported material that goes; what the HSM made for it stays with the fingerprint.

        So the same material may come back and opens what it sealed, and no other may.
        """
        stays = self.blob[-SEALED_MAC_KEY_BYTES:] if self.has_sealed_mac_key else b""
        return replace(self, state=KeyVersionState.ABSENT, blob=stays)

    @property
    def metadata(self) -> KeyMetadata:
        """The part that is known before the key is made."""
        return KeyMetadata(
            self.account, self.key_id, self.version, self.spec, self.usage, self.origin, self.protection_level
        )


@dataclass(frozen=True, slots=True)
class CMK:
    """A customer master key: its state and description; the material is in its versions (`WrappedKey`).

    `current_version` is the one that encrypts and signs. `rotation_seconds` is the period of automatic rotation and
    `next_rotation_ms` when the next one is due; None where nobody asked for it. `material_expires_ms` is when imported
    material goes. A key with `deletion_protection` is deleted only after somebody took that away.
    `oldest_version` is the oldest whose material was not destroyed, `has_policy` whether the key itself has a policy.
    """

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
    deletion_protection: bool = False
    protection_reason: str = ""
    rotation_seconds: int | None = None
    next_rotation_ms: int | None = None
    last_rotation_ms: int | None = None
    material_expires_ms: int | None = None
    oldest_version: int = 1
    has_policy: bool = False

    def become(self, state: KeyState) -> "CMK":
        """The key in its next state; an illegal move raises InvalidState."""
        if state not in TRANSITIONS[self.state]:
            raise InvalidState(f"cannot move key {self.id} from {self.state.value} to {state.value}")
        return replace(self, state=state)

    def require_rotatable(self) -> None:
        """Raise InvalidKeyUsage unless new versions of the key can be made while the old ones still decrypt.

        That is for symmetric keys that encrypt, and whose material the HSM makes: only their ciphertexts say which
        version they are under, and imported material is its owner's to renew.
        """
        symmetric = self.usage is KeyUsage.ENCRYPT_DECRYPT and not SPECS[self.spec].asymmetric
        if not symmetric or self.origin is not KeyOrigin.HSM:
            raise InvalidKeyUsage(
                f"cannot rotate key {self.id}: only symmetric keys that encrypt, with material made in the HSM, "
                "are rotated; for others make a new key and move the alias"
            )

    def rotated(self, now_ms: int) -> "CMK":
        """The key with its next version current, and the next rotation due a period from now where there is one."""
        period = self.rotation_seconds
        due = None if period is None else now_ms + 1000 * period
        return replace(self, current_version=self.current_version + 1, last_rotation_ms=now_ms, next_rotation_ms=due)

    def require_usable(self, usage: KeyUsage, now_ms: int) -> None:
        """Raise KeyDisabled, InvalidState or InvalidKeyUsage unless the key may be used so now.

        Material whose time is over is not used, whether or not it has been taken away already.
        """
        if self.state is KeyState.DISABLED:
            raise KeyDisabled(f"cannot use key {self.id}: it is disabled")
        if self.state is not KeyState.ENABLED:
            raise InvalidState(f"cannot use key {self.id}: it is {self.state.value}")
        if self.material_expires_ms is not None and self.material_expires_ms <= now_ms:
            raise InvalidState(f"cannot use key {self.id}: its material has expired")
        if self.usage is not usage:
            raise InvalidKeyUsage(f"cannot use key {self.id} for {usage.value}")

    def require_present(self) -> None:
        """Raise InvalidState where the key is destroyed or about to be: then nothing of it is changed any more."""
        if self.state in (KeyState.PENDING_DELETION, KeyState.DESTROYED):
            raise InvalidState(f"cannot change key {self.id}: it is {self.state.value}")


@dataclass(frozen=True, slots=True)
class Alias:
    """A second name of a CMK within its account, without `alias/`; it may move to another key."""

    account: str
    name: str
    key_id: str
    created_ms: int
    changed_ms: int
    revision: int = 0
