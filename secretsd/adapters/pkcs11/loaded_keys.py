"""CMKs that are loaded: an LRU of session objects, each with a known answer of its own.

Rows outlive their objects: after the token was opened anew a key is unwrapped again without asking anybody for it.
"""

import os
from collections import OrderedDict
from typing import Any

from pkcs11 import Attribute, DeviceError, GCMParams, KeyType, Mechanism

from secretsd.domain.envelope import IV_BYTES, TAG_BYTES
from secretsd.domain.keys import WrappedKey

_TEXT = b"the known answer of a loaded key"
# No ciphertext can be taken for it: additional data of real ones start with the version byte 1.
_BOUND = b"secretsd known answer"


class LoadedKey:
    """A CMK as a session object, with a ciphertext of a known text made by that very object."""

    __slots__ = ("_answer", "_parameters", "object")

    def __init__(self, key: Any) -> None:
        self.object = key
        self._parameters = GCMParams(os.urandom(IV_BYTES), _BOUND, TAG_BYTES * 8)
        self._answer = key.encrypt(_TEXT, mechanism=Mechanism.AES_GCM, mechanism_param=self._parameters)

    def prove(self) -> None:
        """PKCS11Error unless the key still decrypts its known answer, on the session that everything runs on."""
        text = self.object.decrypt(self._answer, mechanism=Mechanism.AES_GCM, mechanism_param=self._parameters)
        if text != _TEXT or self.object[Attribute.KEY_TYPE] != KeyType.AES:
            raise DeviceError("the token gives a wrong answer")

    def destroy(self) -> None:
        """Remove the session object; PKCS11Error."""
        self.object.destroy()


class LoadedKeys:
    """At most `limit` rows, by digest, the least recently used first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._keys: OrderedDict[bytes, tuple[WrappedKey, LoadedKey | None]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._keys)

    def rows(self) -> list[WrappedKey]:
        """All rows, the least recently used first."""
        return [row for row, _ in self._keys.values()]

    def row(self, digest: bytes) -> WrappedKey | None:
        """The row with that digest, if it was loaded."""
        found = self._keys.get(digest)
        return found[0] if found else None

    def get(self, digest: bytes) -> LoadedKey | None:
        """The key's object, now the most recently used; None where it must be unwrapped."""
        found = self._keys.get(digest)
        if found is None:
            return None
        self._keys.move_to_end(digest)
        return found[1]

    def make_room(self, digest: bytes) -> list[LoadedKey]:
        """Forget rows until that one fits; the caller destroys their objects."""
        gone: list[LoadedKey] = []
        while digest not in self._keys and len(self._keys) >= self._limit:
            _, (_, key) = self._keys.popitem(last=False)
            if key is not None:
                gone.append(key)
        return gone

    def add(self, digest: bytes, row: WrappedKey, key: Any) -> LoadedKey:
        """Remember an unwrapped key; PKCS11Error where it cannot make its known answer."""
        loaded = LoadedKey(key)
        self._keys[digest] = (row, loaded)
        self._keys.move_to_end(digest)
        return loaded

    def drop_objects(self) -> None:
        """Their session is gone: keep the rows alone."""
        for digest, (row, _) in self._keys.items():
            self._keys[digest] = (row, None)
