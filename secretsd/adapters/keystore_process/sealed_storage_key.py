"""The key that authenticates storage rows: sealed under a system CMK beside the key store, never in storage."""

import uuid
from pathlib import Path

import msgspec

from secretsd.adapters.pkcs11.durable_files import write_durably
from secretsd.adapters.pkcs11.pkcs11_keystore import PKCS11KeyStore
from secretsd.domain.envelope import Purpose
from secretsd.domain.errors import Internal, InvalidCiphertext
from secretsd.domain.keys import KeyMetadata, WrappedKey

STORAGE_KEY_BYTES = 32
_FILE = "storage-key.sealed"
_ACCOUNT = "system"
_CONTEXT = {"account": _ACCOUNT, "use": "authenticates storage rows"}


class _Sealed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: WrappedKey
    ciphertext: bytes


class SealedStorageKey:
    """The sealed key in the data directory."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / _FILE

    def create(self, keystore: PKCS11KeyStore) -> None:
        """A new system CMK and a new key under it; only when the root is made."""
        key = keystore.generate_key(KeyMetadata(_ACCOUNT, str(uuid.uuid4()), 1))
        ciphertext = keystore.encrypt(key, Purpose.STORAGE_KEY, keystore.random(STORAGE_KEY_BYTES), _CONTEXT)
        write_durably(self._path, msgspec.json.encode(_Sealed(key, ciphertext)))

    def open(self, keystore: PKCS11KeyStore) -> bytes:
        """The 32 bytes; Internal where the file is missing or was changed."""
        try:
            sealed = msgspec.json.decode(self._path.read_bytes(), type=_Sealed)
            value = keystore.decrypt(sealed.key, Purpose.STORAGE_KEY, sealed.ciphertext, _CONTEXT)
        except (OSError, msgspec.DecodeError, InvalidCiphertext):
            raise Internal("cannot open the storage key: its file is missing or was changed") from None
        if sealed.key.account != _ACCOUNT or len(value) != STORAGE_KEY_BYTES:
            raise Internal("cannot open the storage key: its file was changed")
        return value
