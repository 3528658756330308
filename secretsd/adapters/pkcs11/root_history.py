"""Which generations of the root this key store has, had, and holds back: a file that ceremonies write.

It holds no material. By the check values in it a root is known again, and of a fixed one it alone says that it is ours:
so it has a copy beside it, which is read where the file is missing or damaged. A running key store looks at the token
again when the file has changed.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from secretsd.adapters.pkcs11.durable_files import write_durably
from secretsd.adapters.pkcs11.faults import ModuleRefused
from secretsd.domain.errors import KeyStoreUnavailable
from secretsd.domain.root_keys import RootKey

_COPY = "-copy"
_LOCK = "-lock"


@dataclass(frozen=True, slots=True)
class WrittenRoots:
    """What is written down of the roots, by id. `missing` names the file where there is none."""

    roots: Mapping[str, RootKey] = field(default_factory=dict)
    missing: str = ""

    def check_of(self, kek_id: str) -> str:
        """The root's check value; empty where none is written down."""
        root = self.roots.get(kek_id)
        return "" if root is None else root.check


class RootHistory:
    """The generations in `path`, by number. OSError where the disk refuses.

    Ceremonies write here, and processes that serve add a check value: each change is made under a lock of its own.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._copy, self._lock = (path.with_name(path.name + end) for end in (_COPY, _LOCK))

    def read(self) -> tuple[RootKey, ...]:
        """All of them, the oldest first; none where no ceremony of this release was held yet.

        ModuleRefused where file and copy are damaged.
        """
        found = [_roots(path) for path in (self._path, self._copy)]
        whole = next((roots for roots in found if isinstance(roots, tuple)), None)
        if whole is None and any(found):
            raise ModuleRefused(f"cannot read {self._path}: it was changed, and there is no good copy of it")
        return whole or ()

    def stamp(self) -> tuple[int, int]:
        """Another one whenever the file was written."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return 0, 0
        return found.st_ino, found.st_mtime_ns

    def written(self) -> WrittenRoots:
        """All that is known of them. KeyStoreUnavailable where the disk refuses now, ModuleRefused as `read`."""
        try:
            found = {root.kek_id: root for root in self.read()}
        except OSError as error:
            # No descriptor left, or a disk that comes back: whoever asks again may be told.
            sentence = f"cannot read {self._path.name}: {error.strerror}"
            raise KeyStoreUnavailable(sentence, retry_after_seconds=1) from None
        return WrittenRoots(found, "" if found else str(self._path))

    def proved(self, roots: Iterable[RootKey]) -> None:
        """Take down the check value of each root that has none here yet, and renew a file or copy that is not whole.

        They have proved themselves at a start. Quiet where the disk refuses: the next start tries again.
        """
        with suppress(OSError, ModuleRefused), self._changing():
            written = {root.kek_id: root for root in self.read()}
            for root in roots:
                known = written.get(root.kek_id, root)
                written[root.kek_id] = known if known.check else replace(known, check=root.check)
            wanted = _ordered(written.values())
            if [_roots(path) for path in (self._path, self._copy)] != [wanted, wanted]:
                self._write(wanted)

    def add(self, root: RootKey) -> None:
        """Write down a generation, in place of what stands there of the same id."""
        with self._changing():
            others = [known for known in self.read() if known.kek_id != root.kek_id]
            self._write([*others, root])

    def remove(self, kek_id: str) -> None:
        """Forget a generation that never came to be."""
        with self._changing():
            self._write([known for known in self.read() if known.kek_id != kek_id])

    def use(self, kek_id: str, now_ms: int) -> None:
        """Let a held generation wrap from now on."""
        self._change(kek_id, held=False, used_ms=now_ms)

    def destroyed(self, kek_id: str, now_ms: int) -> None:
        """The generation is no longer on the token."""
        self._change(kek_id, destroyed_ms=now_ms)

    def complete(self, on_token: Iterable[tuple[str, int]]) -> tuple[RootKey, ...]:
        """What is written down, and what is on the token (id and generation) though no ceremony wrote it down."""
        written = {root.kek_id: root for root in self.read()}
        for kek_id, generation in on_token:
            written.setdefault(kek_id, RootKey(kek_id, generation, 0))
        return tuple(sorted(written.values(), key=lambda root: root.generation))

    def _change(self, kek_id: str, **changes: bool | int) -> None:
        with self._changing():
            self._write([replace(root, **changes) if root.kek_id == kek_id else root for root in self.read()])  # type: ignore[arg-type]  # two fields of a known type each

    def _write(self, roots: Iterable[RootKey]) -> None:
        data = msgspec.json.encode(_ordered(roots))
        write_durably(self._path, data)
        write_durably(self._copy, data)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Nobody else changes the file meanwhile; each holds it for as long as two small files take to write."""
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _ordered(roots: Iterable[RootKey]) -> tuple[RootKey, ...]:
    return tuple(sorted(roots, key=lambda root: root.generation))


def _roots(path: Path) -> tuple[RootKey, ...] | bool:
    """What is in the file, the oldest first; True where it is damaged, False where there is none."""
    try:
        return _ordered(msgspec.json.decode(path.read_bytes(), type=tuple[RootKey, ...]))
    except FileNotFoundError:
        return False
    except msgspec.DecodeError:
        return True
