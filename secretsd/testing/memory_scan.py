"""Looks for known bytes in the memory of other processes and in files: the proof that they stand where they may alone.

All that a process has mapped is read, byte for byte, also what is guarded against itself; only the kernel's own pages
are left out. Needs root: a hardened process lets nobody else look. Names of needles are told, never their bytes.
"""

import contextlib
import hashlib
import io
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

SHORTEST = 16
"""Shorter needles could stand somewhere by chance."""
_CHUNK = 1 << 16
_WORD = 8
_KERNELS_OWN = ("[vvar]", "[vvar_vclock]", "[vsyscall]", "[vdso]")


@dataclass(frozen=True, slots=True)
class Needle:
    """Bytes that are looked for, and what they are called; ValueError where they are too few."""

    name: str
    data: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.data) < SHORTEST or len(set(self.data)) < 6:
            raise ValueError(f"cannot look for {self.name}: it would be found anywhere")


@dataclass(frozen=True, slots=True, order=True)
class Sighting:
    """A needle was found: its name, and in which mapping or file."""

    needle: str
    where: str


class MemoryScan:
    """Looks for the same needles in many places, however many they are.

    Wherever a needle stands, one of its words of 8 bytes begins at a multiple of 8: data are read as such words, and
    searched for whole needles only where one of the needles' words came up. Chunks that were seen before, such as what
    all Python processes map and zeros, are not searched again. `searched_bytes` is all that was looked at, `unread`
    the mappings that could not be read.
    """

    def __init__(self, needles: Iterable[Needle]) -> None:
        self._needles = tuple(needles)
        self._overlap = max(len(needle.data) for needle in self._needles) - 1
        starts = [needle.data[at : at + _WORD] for needle in self._needles for at in range(_WORD)]
        self._words = frozenset(int.from_bytes(start, sys.byteorder) for start in starts)
        self._seen: dict[bytes, tuple[str, ...]] = {}
        self.searched_bytes = 0
        self.unread: list[str] = []

    def process(self, pid: int) -> list[Sighting]:
        """What is in a process; OSError where it is gone or not ours to read."""
        found: set[Sighting] = set()
        with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
            for start, end, what in mappings(pid):
                for chunk in self._chunks(memory, start, end, what):
                    found.update(Sighting(name, what) for name in self._names_in(chunk))
        Path(f"/proc/{pid}/maps").read_bytes()  # a process that ended meanwhile would have shown nothing more
        return sorted(found)

    def files(self, paths: Iterable[Path]) -> list[Sighting]:
        """What is in files, and in their names."""
        found: set[Sighting] = set()
        for path in paths:
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                data = b""  # gone meanwhile; its name may still tell
            for one in (data, str(path).encode()):
                found.update(Sighting(name, str(path)) for name in self._names_in(one))
        return sorted(found)

    def text(self, where: str, data: bytes) -> list[Sighting]:
        """What is in bytes that the caller has already."""
        return sorted(Sighting(name, where) for name in self._names_in(data))

    def _chunks(self, memory: io.FileIO, start: int, end: int, what: str) -> Iterator[bytes]:
        """A mapping in pieces that overlap, so that no needle is cut in two; it may shrink while it is read."""
        tail = b""
        while start < end:
            try:
                memory.seek(start)
                data = memory.read(min(_CHUNK, end - start))
            except OSError:
                data = b""
            if not data:
                self.unread.append(what)
                return
            chunk = tail + data
            yield chunk
            tail = chunk[-self._overlap :]
            start += len(data)

    def _names_in(self, data: bytes) -> tuple[str, ...]:
        self.searched_bytes += len(data)
        known = hashlib.blake2b(data, digest_size=16).digest()
        if (names := self._seen.get(known)) is None:
            words = memoryview(data + bytes(-len(data) % _WORD)).cast("Q")
            found = () if self._words.isdisjoint(words) else self._needles
            self._seen[known] = names = tuple(needle.name for needle in found if needle.data in data)
        return names


def mappings(pid: int) -> Iterator[tuple[int, int, str]]:
    """Start, end and description of all that a process has mapped, the kernel's own pages apart."""
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        place, rights, _offset, _device, _inode, *name = line.split(maxsplit=5)
        what = name[0] if name else "anonymous memory"
        if what not in _KERNELS_OWN:
            start, end = (int(one, 16) for one in place.split("-"))
            yield start, end, f"{what} {rights}"


def family(pid: int) -> list[int]:
    """A process and all that descend from it, parents first."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += sorted(children.get(one, ()))
    return found


def open_files(pid: int) -> list[Path]:
    """The regular files that a process has open, deleted ones and memory files too."""
    return [fd for fd in Path(f"/proc/{pid}/fd").iterdir() if fd.is_file()]
