"""An escrow in memory, for tests of the layers above; it passes the suite of the port."""

from collections.abc import Sequence

from secretsd.domain.errors import StorageUnavailable
from secretsd.ports.escrow import EscrowEntry


class MemoryEscrow:
    """An Escrow that lives as long as its object. `away` makes it fail like a full disk."""

    def __init__(self) -> None:
        self.away = False
        self._entries: list[EscrowEntry] = []

    async def keep(self, entry: EscrowEntry) -> None:
        """Remember the entry."""
        if self.away:
            raise StorageUnavailable("cannot write to the escrow")
        self._entries.append(entry)

    async def entries(self) -> Sequence[EscrowEntry]:
        """All of them, oldest first."""
        return tuple(self._entries)
