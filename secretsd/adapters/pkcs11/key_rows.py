"""What the HSM's MAC over a wrapped key covers, and the digest by which a call names one."""

import hashlib
import struct
import uuid

from secretsd.domain.keys import KeyMetadata, WrappedKey

WRAPPED_AES_256_BYTES = 40
"""RFC 5649 wraps 32 bytes into 40; anything else is no AES-256 key, whatever the module makes of it."""

_DOMAIN = b"secretsd wrapped key 2"
_FINGERPRINT = b"secretsd imported material 1"
_MAC_KEY = b"secretsd mac key of imported material 1"
SEAL_BYTES = 32


def _fields(*fields: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(field)) + field for field in fields)


def authenticated_bytes(
    metadata: KeyMetadata, suite: int, kek_id: str, blob: bytes, public_key: bytes = b"", fingerprint: bytes = b""
) -> bytes:
    """Every field of a key row but the MAC, each with its length, after a word that no other MACed text starts with."""
    return _fields(
        _DOMAIN,
        metadata.account.encode(),
        uuid.UUID(metadata.key_id).bytes,
        struct.pack(">IB", metadata.version, suite),
        metadata.spec.value.encode(),
        metadata.usage.value.encode(),
        metadata.origin.value.encode(),
        metadata.protection_level.value.encode(),
        kek_id.encode(),
        blob,
        public_key,
        fingerprint,
    )


def fingerprinted_bytes(metadata: KeyMetadata, answer: bytes) -> bytes:
    """What the HSM's MAC that knows imported material again covers: whose key it is, and what follows from it alone."""
    return _fields(
        _FINGERPRINT, metadata.account.encode(), uuid.UUID(metadata.key_id).bytes, metadata.spec.value.encode(), answer
    )


def sealed_bytes(key: WrappedKey, wrapped_mac_key: bytes) -> bytes:
    """What the seal on an imported key's MAC key covers: the row that it belongs to, and which material."""
    covered = authenticated_bytes(key.metadata, key.suite, key.kek_id, wrapped_mac_key, b"", key.fingerprint)
    return _fields(_MAC_KEY, covered)


def wrapped_material(key: WrappedKey) -> bytes:
    """What the root KEK wrapped: the blob without the seal that stands behind the MAC key of imported material."""
    return key.blob[:-SEAL_BYTES] if key.has_sealed_mac_key else key.blob


def digest(key: WrappedKey) -> bytes:
    """32 bytes that name the row: every field goes in, the MAC too, so that a changed row is another key.

    Remembered by the row's identity, for to hash its seventeen fields costs a tenth of an encryption; as long as it is
    remembered the row is held, so no other one can have its identity.
    """
    known = _digests.get(id(key))
    if known is not None:
        return known[1]
    if len(_digests) >= _MOST_DIGESTS:
        _digests.clear()
    found = _digest(key)
    _digests[id(key)] = key, found
    return found


_MOST_DIGESTS = 4096
_digests: dict[int, tuple[WrappedKey, bytes]] = {}


def _digest(key: WrappedKey) -> bytes:
    covered = authenticated_bytes(key.metadata, key.suite, key.kek_id, key.blob, key.public_key, key.fingerprint)
    return hashlib.sha256(_fields(covered, key.mac)).digest()
