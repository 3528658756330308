"""What was encrypted, under which key version and with which IV, and what the counts said: nothing may come twice."""

import math
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from secretsd.testing.iv_hunt.counts import Bounds, Counts, KeyName

_HEADER_BYTES = 24
_VALUE_HEADER_BYTES = 31
_IV_BYTES = {1: 12, 2: 16, 3: 12, 4: 12, 5: 12}
_SECRET_VALUE = 17
# IVs that are drawn at random have the same three bytes at a place as often as birthdays meet in 2^24 days.
_WORD_BYTES = 3
_MOST_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Parsed:
    """The clear part of a ciphertext under a CMK, read as `docs/reference/ciphertext.md` says."""

    name: KeyName
    suite: int
    purpose: int
    iv: bytes


def parse(ciphertext: bytes) -> Parsed:
    """The clear part; ValueError for what is no such ciphertext."""
    if len(ciphertext) < _HEADER_BYTES or ciphertext[0] != 1:
        raise ValueError("cannot read a ciphertext: its format is unknown")
    suite, purpose, size = ciphertext[1], ciphertext[2], ciphertext[23]
    if _IV_BYTES.get(suite) != size or len(ciphertext) <= _HEADER_BYTES + size:
        raise ValueError("cannot read a ciphertext: it has no IV of its suite")
    name = str(uuid.UUID(bytes=ciphertext[3:19])), int.from_bytes(ciphertext[19:23], "big")
    return Parsed(name, suite, purpose, ciphertext[_HEADER_BYTES : _HEADER_BYTES + size])


class Ledger:
    """Every ciphertext and every count. Several threads write to it; findings name keys and IVs, never a value.

    `in_flight` is how many answers may have come and not be written down yet. `look` reads the counts anew.
    """

    def __init__(self, in_flight: int = 0, look: Callable[[], None] = lambda: None) -> None:
        self.findings: list[str] = []
        self.made: Counter[KeyName] = Counter()
        self.purposes: Counter[int] = Counter()
        self.bounds: Bounds = {}
        self.look = look
        self._in_flight = in_flight
        self._answered: Counter[KeyName] = Counter()
        self._ivs: set[tuple[str | bytes, int, bytes]] = set()
        self._inode = 0
        self._handed_out: Counter[KeyName] = Counter()
        self._began: Bounds = {}
        self._answered_before: Counter[KeyName] = Counter()
        self._ending = False
        self._lock = threading.RLock()

    def finding(self, sentence: str) -> None:
        """Note what must not be."""
        with self._lock:
            self.findings.append(sentence)

    def ciphertext(self, data: bytes, *, answered: bool = True) -> None:
        """One under a CMK, just answered or found in storage; each is told once, so its IV must not be known yet.

        Equal ones are no exception: the same text under the same IV is a ciphertext that was made twice.
        """
        found = parse(data)
        with self._lock:
            self._require_new((*found.name, found.iv))
            self.made[found.name] += 1
            self.purposes[found.purpose] += 1
            self._answered[found.name] += answered
            enough = self.made[found.name] <= self.bounds.get(found.name, 0)
        if not enough:
            self.look()
            self.require_counted(found.name)

    def value(self, data: bytes) -> None:
        """A secret value out of storage, under a data key that it names; each is told once."""
        if len(data) <= _VALUE_HEADER_BYTES or data[:3] != bytes((1, 1, _SECRET_VALUE)):
            raise ValueError("cannot read a secret value: its format is unknown")
        with self._lock:
            self._require_new((data[3:19], 0, data[19:31]))
            self.purposes[_SECRET_VALUE] += 1

    @property
    def ivs(self) -> int:
        """How many IVs there were, of ciphertexts and of secret values."""
        return len(self._ivs)

    def counted(self, found: Counts) -> None:
        """What the file holds now: never less than before, but for an end in order, which writes the exact counts."""
        with self._lock:
            fresh = found.inode != self._inode
            names = {*self.bounds, *found.now}
            for name in names:
                least, bound = self.bounds.get(name, 0), found.room(name)
                self._handed_out[name] += _grown(found, name, self.bounds.get(name), fresh=fresh)
                if self._ending:
                    since = self._answered[name] - self._answered_before[name] - self._in_flight
                    least = min(least, self._began.get(name, 0) + max(0, since))
                if bound < least:
                    self.finding(f"the count of {_named(name)} fell from {least} to {bound}")
            if fresh:
                self._inode, self._answered_before = found.inode, self._answered.copy()
                self._began = {name: found.began.get(name, 0) for name in names}
            self.bounds = {name: found.room(name) for name in names}

    def require_counted(self, name: KeyName) -> None:
        """No more ciphertexts than the file has room for: they were counted before they were made."""
        with self._lock:
            made, room = self.made[name], self.bounds.get(name, 0)
            if made > room:
                self.finding(f"{made} ciphertexts of {_named(name)} were made, and {room} are counted")

    def tampered(self) -> None:
        """The file was changed: the next thing in it has to be as high as all that was ever handed out, no higher.

        A count that was raised because a file was lost may be told more closely by one that comes back.
        """
        with self._lock:
            self.bounds = dict(self._handed_out)

    def ending_in_order(self, ending: bool) -> None:
        """Until this is taken back, what was reserved may be given back as far as it was not used."""
        with self._lock:
            self._ending = ending

    def look_at_all(self) -> None:
        """Hold all ciphertexts against the counts, and all IVs against chance."""
        self.look()
        with self._lock:
            for name in list(self.made):
                self.require_counted(name)
            for size in {len(iv) for _, _, iv in self._ivs}:
                self._require_random([iv for _, _, iv in self._ivs if len(iv) == size])

    def _require_new(self, name: tuple[str | bytes, int, bytes]) -> None:
        if name in self._ivs:
            key = name[0] if isinstance(name[0], str) else f"data key {name[0].hex()}"
            self.finding(f"IV {name[2].hex()} was used twice under key {key} version {name[1]}")
        self._ivs.add(name)

    def _require_random(self, ivs: Sequence[bytes]) -> None:
        expected = len(ivs) * (len(ivs) - 1) / 2 / (1 << 8 * _WORD_BYTES)
        told = 0
        for start in range(0, len(ivs[0]) - _WORD_BYTES + 1, _WORD_BYTES):
            words = Counter(iv[start : start + _WORD_BYTES] for iv in ivs)
            pairs = sum(count * (count - 1) // 2 for count in words.values())
            if abs(pairs - expected) > 10 + 10 * math.sqrt(expected) and (told := told + 1) <= _MOST_SHOWN:
                self.finding(
                    f"IVs are not drawn at random: {pairs} pairs of {len(ivs)} have the same bytes"
                    f" {start} to {start + _WORD_BYTES - 1}, by chance it would be {expected:.1f}"
                )


def _grown(found: Counts, name: KeyName, before: int | None, *, fresh: bool) -> int:
    """How much room a key version got since the last look; less than none where an end in order gave some back."""
    bound = found.room(name)
    if before is None:
        return bound - found.floor if bound > found.floor else bound
    if not fresh:
        return bound - before
    began = found.began.get(name, found.floor)
    return bound - began + min(0, began - before)


def _named(name: KeyName) -> str:
    return f"key {name[0]} version {name[1]}"
