"""Nodes and leases: who lives is told by a lock, and what was leased before a restart of the host is void."""

import os
import time
from pathlib import Path

import apsw

from secretsd.adapters.sqlite import SqliteStorage
from secretsd.adapters.sqlite.nodes import Node
from secretsd.testing.storage import temporary_storage


def test_a_node_lives_until_it_is_closed(tmp_path: Path) -> None:
    first, second = Node(tmp_path / "nodes"), Node(tmp_path / "nodes")
    assert first.incarnation != second.incarnation
    assert first.alive(second.incarnation)
    assert first.alive(first.incarnation)
    assert not first.alive("never-lived")
    second.close()
    assert not first.alive(second.incarnation)
    first.close()
    first.close()


def test_only_the_files_of_the_dead_are_swept(tmp_path: Path) -> None:
    first, second = Node(tmp_path), Node(tmp_path)
    (tmp_path / "dead").touch()
    (tmp_path / ".about-to-live").touch()
    (tmp_path / ".never-lived").touch()
    os.utime(tmp_path / ".never-lived", (time.time() - 999,) * 2)
    first.sweep()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {first.incarnation, second.incarnation, ".about-to-live"}
    assert first.alive(second.incarnation)
    first.close()
    second.close()


async def test_a_lease_from_before_the_host_started_is_void(tmp_path: Path, storage: SqliteStorage) -> None:
    async with temporary_storage(tmp_path / "state") as other:
        lease = await storage.leases.claim("one", 3600)
        assert lease is not None
        assert await other.leases.claim("one", 60) is None
        connection = apsw.Connection(str(tmp_path / "state" / "main.db"))
        connection.set_busy_timeout(5_000)
        connection.execute("UPDATE leases SET boot_id = 'an earlier one'")
        connection.close()
        taken = await other.leases.claim("one", 60)
        assert taken is not None
        assert taken.epoch == lease.epoch + 1
