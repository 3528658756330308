"""An escrow in memory, for tests of the layers above; it passes the suite of the port."""

from collections.abc import Callable, Collection, Sequence

from secretsd.domain.errors import StorageUnavailable
from secretsd.ports.escrow import CandidateName, EscrowEntry


class MemoryEscrow:
    """An Escrow that lives as long as its object. `away` makes it fail like a full disk."""

    def __init__(self) -> None:
        self.away = False
        self._entries: list[EscrowEntry] = []

    async def keep(self, entry: EscrowEntry) -> None:
        """Remember the entry."""
        self._require_present()
        self._entries.append(entry)

    async def entries(self, wanted: Callable[[EscrowEntry], bool] | None = None) -> Sequence[EscrowEntry]:
        """All of them, oldest first."""
        return tuple(entry for entry in self._entries if wanted is None or wanted(entry))

    async def replace(self, changed: Sequence[tuple[EscrowEntry, EscrowEntry]]) -> int:
        """Put new entries in the place of old ones."""
        self._require_present()
        becomes = [next((after for before, after in changed if before == entry), None) for entry in self._entries]
        self._entries = [new or old for old, new in zip(self._entries, becomes, strict=True)]
        return len(becomes) - becomes.count(None)

    async def drop(self, names: Collection[CandidateName]) -> int:
        """Forget the candidates."""
        self._require_present()
        before = len(self._entries)
        self._entries = [entry for entry in self._entries if entry.name not in names]
        return before - len(self._entries)

    def _require_present(self) -> None:
        if self.away:
            raise StorageUnavailable("cannot write to the escrow")
