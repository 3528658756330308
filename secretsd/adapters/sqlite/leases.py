"""Leases: rights that one node holds at a time, on the boot clock, void at once when their owner has died."""

import logging
import time
from pathlib import Path

import apsw

from secretsd.adapters.sqlite.connections import fetch
from secretsd.adapters.sqlite.nodes import Node
from secretsd.adapters.sqlite.statements import load
from secretsd.adapters.sqlite.writer import Writer
from secretsd.domain.errors import StorageUnavailable
from secretsd.ports.storage import Lease

_SQL = {name: statement.sql for name, statement in load("main.sql").items()}
_logger = logging.getLogger(__name__)


def boot_id() -> str:
    """Which run of the kernel this is; times on the boot clock mean nothing in another."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def boot_ms() -> int:
    """Milliseconds since the host started, time asleep included; no clock change moves it."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


class SqliteLeases:
    """A Leases whose owner is this node."""

    def __init__(self, writer: Writer, node: Node) -> None:
        self._writer = writer
        self._node = node
        self._boot_id = boot_id()

    async def claim(self, name: str, seconds: float, above: int = 0) -> Lease | None:
        """The lease, or None while another node that lives holds it. Durable before it is returned."""
        return await self._writer.submit(lambda connection: self._claim(connection, name, seconds, above))

    async def release(self, lease: Lease) -> None:
        """Free it; a lease that was lost, or a storage that is away, is nothing to raise for: time ends it as well."""
        arguments = (lease.name, lease.owner, lease.epoch)
        try:
            await self._writer.submit(lambda connection: fetch(connection, _SQL["release_lease"], arguments))
        except StorageUnavailable:
            _logger.warning("lease %s was not given back: the storage is away; it ends by itself", lease.name)

    def _claim(self, connection: apsw.Connection, name: str, seconds: float, above: int) -> Lease | None:
        rows = fetch(connection, _SQL["lease"], (name,))
        epoch = above + 1
        if rows:
            owner, last, its_boot, expires_ms = rows[0]
            if owner == self._node.incarnation:
                epoch = last
            else:
                if owner and its_boot == self._boot_id and expires_ms > boot_ms() and self._node.alive(owner):
                    return None
                epoch = max(last, above) + 1
        ends_ms = boot_ms() + round(seconds * 1000)
        connection.execute(_SQL["write_lease"], (name, self._node.incarnation, epoch, self._boot_id, ends_ms))
        return Lease(name, self._node.incarnation, epoch)
