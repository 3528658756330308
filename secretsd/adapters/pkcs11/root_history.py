"""Which generations of the root this key store has, had, and holds back: a file that ceremonies write.

It holds no material and decides nothing about what a key opens: the token does. Only of a fixed root it decides which
one it is. A running key store looks at the token again when the file has changed.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import msgspec

from secretsd.adapters.pkcs11.durable_files import write_durably
from secretsd.adapters.pkcs11.faults import ModuleRefused
from secretsd.domain.root_keys import RootKey


class RootHistory:
    """The generations in `path`, by number. OSError where the disk refuses."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> tuple[RootKey, ...]:
        """All of them, the oldest first; none where no ceremony of this release was held yet."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return ()
        try:
            found = msgspec.json.decode(data, type=tuple[RootKey, ...])
        except msgspec.DecodeError:
            raise ModuleRefused(f"cannot read {self._path}: it was changed") from None
        return tuple(sorted(found, key=lambda root: root.generation))

    def stamp(self) -> tuple[int, int]:
        """Another one whenever the file was written."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return 0, 0
        return found.st_ino, found.st_mtime_ns

    def held(self) -> frozenset[str]:
        """The ids of the generations that wrap nothing yet; none where the file cannot be read: that stops nobody."""
        try:
            return frozenset(root.kek_id for root in self.read() if root.held)
        except (OSError, ModuleRefused):
            return frozenset()

    def fixed(self) -> dict[str, str]:
        """The check values of those that cannot be renewed, by id; ModuleRefused where nobody can tell."""
        try:
            return {root.kek_id: root.check for root in self.read() if root.fixed}
        except OSError as error:
            raise ModuleRefused(f"cannot read {self._path}: {error.strerror}") from None

    def add(self, root: RootKey) -> None:
        """Write down a generation, in place of what stands there of the same id."""
        others = [known for known in self.read() if known.kek_id != root.kek_id]
        self._write([*others, root])

    def remove(self, kek_id: str) -> None:
        """Forget a generation that never came to be."""
        self._write([known for known in self.read() if known.kek_id != kek_id])

    def use(self, kek_id: str) -> None:
        """Let a held generation wrap from now on."""
        self._change(kek_id, held=False)

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
        self._write([replace(root, **changes) if root.kek_id == kek_id else root for root in self.read()])  # type: ignore[arg-type]  # two fields of a known type each

    def _write(self, roots: Iterable[RootKey]) -> None:
        write_durably(self._path, msgspec.json.encode(sorted(roots, key=lambda root: root.generation)))
