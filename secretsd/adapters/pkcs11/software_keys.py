"""SM keys: used in memory, because no PKCS#11 module offers their algorithms, and guarded by the HSM at rest.

Blob of such a key: the wrapped guard 40 | iv 12 | sealed material ‖ tag 16
    guard            an AES-256 key made in the HSM for this key alone, wrapped by the root KEK as in RFC 5649
    sealed material  AES-256-GCM under the guard, in the HSM; the additional data name account, key, version and spec
    material         16 bytes for SM4, the private number in 32 bytes for SM2
"""

import ctypes
import os
import struct
import uuid
from typing import TYPE_CHECKING

from secretsd.adapters.pkcs11 import fingerprints, key_kinds, symmetric
from secretsd.adapters.pkcs11.imported_keys import Unfit
from secretsd.adapters.pkcs11.key_rows import WRAPPED_AES_256_BYTES
from secretsd.adapters.pkcs11.loaded_keys import LoadedKey
from secretsd.adapters.sm import pkcs8, sm2, sm4
from secretsd.domain.envelope import IV_BYTES, TAG_BYTES
from secretsd.domain.errors import Internal, InvalidCiphertext
from secretsd.domain.key_specs import SPECS, KeySpec, KeyUsage
from secretsd.domain.keys import KeyMetadata, WrappedKey

if TYPE_CHECKING:
    from secretsd.adapters.pkcs11.token_session import Root, TokenSession

_GUARD = key_kinds.kind_for(KeySpec.AES_256, KeyUsage.ENCRYPT_DECRYPT)
# No ciphertext of a CMK can be taken for it: additional data of those start with the version byte 1.
_DOMAIN = b"secretsd software key 1"


class SoftwareKey(LoadedKey):
    """A loaded SM key: `object` is the material, overwritten as soon as the key is forgotten or the token is away."""

    def __init__(self, material: bytes) -> None:
        super().__init__(material, None)

    def destroy(self) -> None:
        """Overwrite the material."""
        wipe(self.object)

    def lost(self) -> None:
        """As `destroy`: what the HSM guards is not used without the HSM."""
        self.destroy()


def wipe(material: bytes) -> None:
    """Overwrite bytes that nobody else uses any more, as far as Python can: no copies that libraries made.

    Dangerous, because `bytes` never change for whoever else holds them. They are overwritten all the same: the
    libraries take nothing else, so a bytearray would leave a copy behind at every use. Python shares bytes of length 0
    and 1 among everybody: those, which are no key anyway, are left alone.
    """
    if len(material) > 1:
        ctypes.memset(id(material) + bytes.__basicsize__ - 1, 0, len(material))


def generate(spec: KeySpec) -> tuple[bytes, bytes]:
    """New material and its public key (b"" for SM4); Unsupported without the extra. The caller wipes the material."""
    return sm2.generate() if spec is KeySpec.SM2 else (os.urandom(sm4.KEY_BYTES), b"")


def imported(spec: KeySpec, opened: bytes) -> tuple[bytes, bytes]:
    """Material and public key (b"" for SM4) out of what came in: 16 bytes of SM4, or PKCS#8 of SM2; Unfit."""
    if spec is KeySpec.SM2:
        try:
            return pkcs8.read(opened)
        except InvalidCiphertext:
            raise Unfit("it is no SM2 private key as PKCS#8 in DER") from None
    if len(opened) != sm4.KEY_BYTES:
        raise Unfit(f"it is no key of {SPECS[spec].bits} bits")
    if opened == bytes(sm4.KEY_BYTES):
        raise Unfit("it is nothing but zeros")
    return bytes(bytearray(opened)), b""  # a copy, because both are overwritten in their time


def answer(material: bytes, public_key: bytes) -> bytes:
    """What follows from the material alone, for its fingerprint: the public key, or a fixed text by SM4."""
    return public_key or sm4.blocks(material, fingerprints.TEXT)


def seal(session: "TokenSession", root: "Root", key: KeyMetadata | WrappedKey, material: bytes) -> bytes:
    """The blob for that material; PKCS11Error."""
    guard, _ = session.make(_GUARD)
    wrapped = session.wrap(root, guard)
    iv = os.urandom(IV_BYTES)
    sealed = symmetric.seal(guard, iv, _bound(key), material)
    guard.destroy()
    return wrapped + iv + sealed


def load(session: "TokenSession", root: "Root", key: WrappedKey) -> SoftwareKey:
    """The key as it is used; Internal where the blob cannot be one, PKCS11Error. The row's MAC was checked before."""
    wrapped, iv, sealed = _split(key)
    guard = session.unwrap(root, _GUARD, wrapped)
    material = symmetric.unseal(guard, iv, _bound(key), sealed)
    guard.destroy()
    return SoftwareKey(material)


def rewrap(session: "TokenSession", before: "Root", after: "Root", key: WrappedKey) -> bytes:
    """The blob under another root KEK: only the guard is wrapped anew, the material stays sealed; PKCS11Error."""
    wrapped, iv, sealed = _split(key)
    guard = session.unwrap(before, _GUARD, wrapped)
    again = session.wrap(after, guard)
    guard.destroy()
    return again + iv + sealed


def _split(key: WrappedKey) -> tuple[bytes, bytes, bytes]:
    start = WRAPPED_AES_256_BYTES + IV_BYTES
    if len(key.blob) != start + SPECS[key.spec].bits // 8 + TAG_BYTES:
        raise Internal(f"cannot use key {key.key_id}: its kind is not supported")
    return key.blob[:WRAPPED_AES_256_BYTES], key.blob[WRAPPED_AES_256_BYTES:start], key.blob[start:]


def _bound(key: KeyMetadata | WrappedKey) -> bytes:
    numbers = (uuid.UUID(key.key_id).bytes, struct.pack(">I", key.version))
    fields = (key.account.encode(), *numbers, key.spec.value.encode())
    return _DOMAIN + b"".join(struct.pack(">I", len(field)) + field for field in fields)
