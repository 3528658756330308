"""The key store: makes and uses keys that never leave it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from secretsd.domain.algorithms import EncryptionAlgorithm, MacAlgorithm, SigningAlgorithm
from secretsd.domain.envelope import DATA_KEY_BYTES, Purpose
from secretsd.domain.errors import Unsupported
from secretsd.domain.key_import import WrappingAlgorithm, WrappingSpec
from secretsd.domain.key_specs import KeySpec
from secretsd.domain.keys import KeyMetadata, WrappedKey
from secretsd.domain.root_keys import RootKey
from secretsd.domain.sensitive import Plaintext


@dataclass(frozen=True, slots=True)
class KeyUse:
    """On whose behalf and for what a key is used; rates are limited and uses counted by it."""

    account: str
    purpose: Purpose
    request_id: str


Ability = KeySpec | EncryptionAlgorithm | WrappingAlgorithm
"""What a key store may lack."""


def unable(wanted: Ability, reason: str) -> Unsupported:
    """The error for what a key store lacks; `reason` is half a sentence about it."""
    deed = {KeySpec: "make a key of spec", EncryptionAlgorithm: "encrypt by", WrappingAlgorithm: "import material by"}
    return Unsupported(f"cannot {deed[type(wanted)]} {wanted.value}: this HSM {reason}")


TIME_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.01, 0.1, 1.0, 10.0)


@dataclass(frozen=True, slots=True)
class UseTimes:
    """How long the HSM took for one kind of use since its start: seconds in all, and how many by TIME_BUCKETS.

    `counts` has one entry more than there are buckets, for what took longer than the last.
    """

    seconds: float
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KeyStoreStatus:
    """How the key store is. `reason` is a sentence without values; the key ids are names, not material.

    `inabilities` tells for each spec and algorithm that this key store has not why, as half a sentence. `times` are
    by kind of use and spec ("sign RSA_2048"), `errors` count what the HSM answered instead of working, by name.
    `worn` are key versions in use, as account, key id and version, that have made half of the ciphertexts that they
    may: they are to be rotated. `roots` are the generations of the root, the oldest first.
    """

    available: bool
    reason: str
    module: str
    kek_id: str
    restarts: int
    loaded_keys: int
    uses: Mapping[str, int]
    inabilities: Mapping[str, str] = field(default_factory=dict)
    times: Mapping[str, "UseTimes"] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)
    worn: tuple[tuple[str, str, int], ...] = ()
    roots: tuple[RootKey, ...] = ()


class PublicSM2(Protocol):
    """What is done with SM2's public keys, in the caller's own process; Unsupported without the extra `sm`.

    Each takes about a millisecond. A public key is a SubjectPublicKeyInfo in DER; another one raises InvalidRequest.
    """

    def digest(self, public_key: bytes, message: bytes) -> bytes:
        """e = SM3(Z ‖ message), the 32 bytes that SM2DSA signs; Z is that of the default id (GB/T 32918.2, 5.5)."""
        ...

    def verify(self, public_key: bytes, digest: bytes, signature: bytes) -> bool:
        """Whether the signature, in DER, is the key's own of that e; False for whatever is no signature."""
        ...

    def encrypt(self, public_key: bytes, plaintext: Plaintext) -> bytes:
        """The SM2PKE ciphertext, in DER; InvalidRequest for an empty plaintext, LimitExceeded past 255 bytes."""
        ...


class KeyStore(Protocol):
    """Makes and uses keys that never leave it. Every method may raise KeyStoreUnavailable, and may be tried again.

    A method that the key cannot do by its spec or usage raises InvalidKeyUsage, one that this HSM cannot do at all
    Unsupported. `context` is the encryption context; the key store canonicalises it and builds header, IV and AAD.
    """

    @property
    def sm2(self) -> PublicSM2:
        """What needs SM2's public keys alone."""
        ...

    async def generate_key(self, metadata: KeyMetadata) -> WrappedKey:
        """A new key version, wrapped by the root KEK and MACed with its metadata; repeating makes another key."""
        ...

    async def encrypt(self, key: WrappedKey, use: KeyUse, plaintext: Plaintext, context: Mapping[str, str]) -> bytes:
        """A CMK ciphertext of at most 6 KiB; LimitExceeded past that, Throttled past the account's rate."""
        ...

    async def decrypt(self, key: WrappedKey, use: KeyUse, ciphertext: bytes, context: Mapping[str, str]) -> Plaintext:
        """The plaintext; InvalidCiphertext when key, purpose, context or any byte differs from when it was made."""
        ...

    async def generate_data_key(
        self, key: WrappedKey, use: KeyUse, context: Mapping[str, str], size: int = DATA_KEY_BYTES
    ) -> tuple[Plaintext, bytes]:
        """`size` random bytes from the HSM and their ciphertext under the key."""
        ...

    async def decrypt_asymmetric(
        self, key: WrappedKey, use: KeyUse, algorithm: EncryptionAlgorithm, ciphertext: bytes
    ) -> Plaintext:
        """What was encrypted under the key's public half; InvalidCiphertext for whatever was not, and no other word."""
        ...

    async def sign(self, key: WrappedKey, use: KeyUse, algorithm: SigningAlgorithm, message: bytes) -> bytes:
        """The signature in the algorithm's usual form. `message` is a digest by its hash; for Ed25519 the message.

        For SM2DSA it is e, which `sm2.digest` makes of a message.
        """
        ...

    async def generate_mac(self, key: WrappedKey, use: KeyUse, algorithm: MacAlgorithm, message: bytes) -> bytes:
        """The whole MAC, untruncated."""
        ...

    async def generate_import_key(self, account: str, key_id: str, spec: WrappingSpec) -> WrappedKey:
        """A key pair for importing material of that key; it unwraps, and does nothing else. Its version is 0."""
        ...

    async def import_key(
        self,
        metadata: KeyMetadata,
        import_key: WrappedKey,
        algorithm: WrappingAlgorithm,
        material: bytes,
        before: WrappedKey | None = None,
    ) -> WrappedKey:
        """The material as a key version, with its fingerprint; InvalidCiphertext where it is no such key.

        `before` is the row of the version as it was, with its material or without. The new one comes under the same
        root, so that their fingerprints can be compared, and `rewrap` moves it on; InvalidState where that root is
        gone. It has the same suite, and for the same material what the HSM once made beside it (SECURITY 6).
        """
        ...

    async def rewrap(self, key: WrappedKey) -> WrappedKey:
        """The same key version under the current root KEK; the row itself where it is there already."""
        ...

    async def destroy_key(self, account: str, key_id: str, up_to_version: int) -> None:
        """Never load a version of the key up to that one again, whatever a restore brings back (SECURITY 5)."""
        ...

    async def random(self, size: int) -> Plaintext:
        """`size` bytes (1 to 4,096) from the HSM's generator."""
        ...

    async def storage_key(self) -> Plaintext:
        """The 32-byte key that authenticates storage rows; sealed beside the key store, never in storage."""
        ...

    async def require_able(self, wanted: Ability) -> None:
        """Raise Unsupported, with the reason, where this key store has not that spec or algorithm: `unable`."""
        ...

    async def status(self) -> KeyStoreStatus:
        """How it is, also while it is away: never raises."""
        ...
