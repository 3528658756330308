"""The key that authenticates storage rows: sealed under a system CMK beside the key store, never in storage."""

import uuid
from pathlib import Path

import msgspec

from secretsd.adapters.pkcs11.durable_files import write_durably
from secretsd.adapters.pkcs11.faults import ModuleRefused
from secretsd.adapters.pkcs11.pkcs11_keystore import PKCS11KeyStore
from secretsd.adapters.pkcs11.root_rotation import wrapped_anew
from secretsd.adapters.pkcs11.token_session import TokenSession
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

    @property
    def kek_id(self) -> str:
        """The generation of the root that it is sealed under; empty where there is no such key."""
        sealed = self._read()
        return "" if sealed is None else sealed.key.kek_id

    def document(self) -> bytes:
        """The file as it is; b"" where there is none."""
        sealed = self._read()
        return b"" if sealed is None else msgspec.json.encode(sealed)

    def under(self, session: TokenSession, kek_id: str) -> bytes:
        """The file as it would be under another generation, b"" where there is none; ModuleRefused if changed."""
        sealed = self._read()
        if sealed is None:
            return b""
        return msgspec.json.encode(_Sealed(wrapped_anew(session, sealed.key, kek_id), sealed.ciphertext))

    def write(self, document: bytes) -> None:
        """Put what `under` gave, here or on another node, in its place."""
        try:
            msgspec.json.decode(document, type=_Sealed)
        except msgspec.DecodeError:
            raise ModuleRefused("cannot take up the storage key: it is none") from None
        write_durably(self._path, document)

    def _read(self) -> _Sealed | None:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Sealed)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError:
            raise ModuleRefused(f"cannot read {self._path}: it was changed") from None

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
