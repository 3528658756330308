"""CMKs that are loaded: an LRU of session objects, each with a known answer of its own.

Rows outlive their objects: after the token was opened anew a key is unwrapped again without asking anybody for it.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from pkcs11 import DeviceError

from secretsd.domain.keys import WrappedKey

KnownAnswer = Callable[[], bool]
"""Whether the key still gives the answer that is known; PKCS11Error where the module cannot say."""


class LoadedKey:
    """A CMK as an object, with an answer of its own that is known, for keys whose module may blame a ciphertext."""

    __slots__ = ("_answers", "_keep", "object")

    def __init__(self, key: Any, answers: KnownAnswer | None, *, keep: bool = False) -> None:
        self.object = key
        self._answers = answers
        self._keep = keep

    def prove(self) -> None:
        """PKCS11Error unless the key still gives its known answer, on the session that everything runs on."""
        if self._answers is not None and not self._answers():
            raise DeviceError("the token gives a wrong answer")

    def destroy(self) -> None:
        """Remove the session object; PKCS11Error. An object that lives on the token stays there."""
        if not self._keep:
            self.object.destroy()

    def lost(self) -> None:
        """The object is gone with its session: nothing is left to do."""


class LoadedKeys:
    """At most `limit` rows, by digest; who needs room takes it from whichever account holds most (SECURITY 11).

    Within an account the least recently used goes first, and among equals the account that was used least recently.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._accounts: OrderedDict[str, OrderedDict[bytes, LoadedKey | None]] = OrderedDict()
        self._rows: dict[bytes, WrappedKey] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self) -> list[WrappedKey]:
        """All rows; those of one account with the least recently used first."""
        return [self._rows[digest] for keys in self._accounts.values() for digest in keys]

    def row(self, digest: bytes) -> WrappedKey | None:
        """The row with that digest, if it was loaded."""
        return self._rows.get(digest)

    def get(self, digest: bytes) -> LoadedKey | None:
        """The key's object, now the most recently used; None where it must be unwrapped."""
        row = self._rows.get(digest)
        if row is None:
            return None
        keys = self._accounts[row.account]
        keys.move_to_end(digest)
        self._accounts.move_to_end(row.account)
        return keys[digest]

    def make_room(self, digest: bytes, account: str) -> list[LoadedKey]:
        """Forget rows until that one of the account fits; the caller destroys their objects."""
        gone: list[LoadedKey] = []
        while digest not in self._rows and len(self._rows) >= self._limit:
            most = max(self._accounts, key=lambda name: len(self._accounts[name]))
            mine = len(self._accounts.get(account, ()))
            victim = account if mine and mine >= len(self._accounts[most]) else most
            key = self.forget(next(iter(self._accounts[victim])))
            if key is not None:
                gone.append(key)
        return gone

    def add(self, digest: bytes, row: WrappedKey, loaded: LoadedKey) -> LoadedKey:
        """Remember a key that is loaded."""
        self._rows[digest] = row
        keys = self._accounts.setdefault(row.account, OrderedDict())
        keys[digest] = loaded
        keys.move_to_end(digest)
        self._accounts.move_to_end(row.account)
        return loaded

    def forget(self, digest: bytes) -> LoadedKey | None:
        """Forget a row; the caller destroys its object."""
        row = self._rows.pop(digest, None)
        if row is None:
            return None
        keys = self._accounts[row.account]
        key = keys.pop(digest)
        if not keys:
            del self._accounts[row.account]
        return key

    def drop_objects(self) -> None:
        """Their session is gone: keep the rows alone."""
        for keys in self._accounts.values():
            for digest, key in keys.items():
                keys[digest] = None
                if key is not None:
                    key.lost()
