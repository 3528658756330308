"""A peer has the unit of its cgroup, and none unless it is sure whose cgroup was read."""

import errno
import os
import socket
import subprocess
import threading
from pathlib import Path
from typing import cast

import pytest

from secretsd.operations.request_facts import Way
from secretsd.transport import processes, units
from secretsd.transport.peer import peer_of
from secretsd.transport.processes import boot_time, credentials
from secretsd.transport.units import unit_of_peer
from tests.unit.transport.peers import NO_SUCH_OPTION, SHOP, Peers, end


@pytest.mark.usefixtures("kernel")
def test_a_running_peer_has_the_unit_of_its_cgroup(peers: Peers) -> None:
    accepted, process = peers.connect()
    assert credentials(accepted) == (process.pid, os.geteuid())
    assert unit_of_peer(accepted, boot_time()) == "shop.service"


@pytest.mark.usefixtures("kernel")
def test_a_peer_that_has_ended_has_none(peers: Peers) -> None:
    accepted, process = peers.connect()
    end(process)
    assert unit_of_peer(accepted, boot_time()) == ""


@pytest.mark.usefixtures("kernel")
def test_nor_one_that_nobody_has_waited_for_yet(peers: Peers) -> None:
    """Signal 0 would still reach it."""
    accepted, process = peers.connect()
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    os.kill(process.pid, 0)
    assert unit_of_peer(accepted, boot_time()) == ""


@pytest.mark.usefixtures("kernel")
def test_nor_one_that_ends_while_its_cgroup_is_read(peers: Peers) -> None:
    """From then on its number may be another process's, and so may the cgroup."""
    accepted, process = peers.connect()

    def read() -> str:
        end(process)
        return SHOP

    peers.cgroup = read
    assert unit_of_peer(accepted, boot_time()) == ""


def test_a_number_that_went_to_a_later_process_is_not_believed(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    """On old kernels: the process of that number began after the connection, which is what reuse looks like."""
    accepted, _ = peers.connect()
    monkeypatch.setattr(processes, "SO_PEERPIDFD", NO_SUCH_OPTION)
    assert unit_of_peer(accepted, boot_time()) == "shop.service"
    began = began_at(credentials(accepted)[0])
    assert unit_of_peer(accepted, began + 0.005) == "shop.service"
    assert unit_of_peer(accepted, began - 0.02) == ""


def began_at(pid: int) -> float:
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return int(ticks) / os.sysconf("SC_CLK_TCK")


def test_nor_one_that_went_to_a_process_of_another_uid(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted, process = peers.connect()
    monkeypatch.setattr(processes, "SO_PEERPIDFD", NO_SUCH_OPTION)
    monkeypatch.setattr(processes, "credentials", lambda _: (process.pid, os.geteuid() + 1))
    assert unit_of_peer(accepted, boot_time()) == ""


def test_the_kernels_own_handle_is_proof_against_reuse(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number is now another running process's; what counts is whether the one that connected still runs."""
    accepted, process = peers.connect()
    _, other = peers.connect()
    end(process)
    monkeypatch.setattr(processes, "credentials", lambda _: (other.pid, os.geteuid()))
    assert unit_of_peer(accepted, boot_time()) == ""


def test_where_the_kernel_has_a_handle_and_does_not_give_it_nothing_takes_its_place(peers: Peers) -> None:
    accepted, _ = peers.connect()

    class Without:
        """A connection of which the kernel lends no handle now."""

        def getsockopt(self, level: int, option: int, size: int) -> bytes:
            if option == processes.SO_PEERPIDFD:
                raise OSError(errno.EMFILE, "too many open files")
            return accepted.getsockopt(level, option, size)

    assert unit_of_peer(cast("socket.socket", Without()), boot_time()) == ""


def test_no_number_no_unit(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted, _ = peers.connect()
    monkeypatch.setattr(processes, "credentials", lambda _: (0, 0))
    assert unit_of_peer(accepted, boot_time()) == ""


def test_a_connection_that_was_closed_has_none_and_harms_nothing(peers: Peers) -> None:
    accepted, _ = peers.connect()
    accepted.close()
    assert unit_of_peer(accepted, boot_time()) == ""


@pytest.mark.usefixtures("kernel")
def test_no_descriptor_stays_open(peers: Peers) -> None:
    accepted, process = peers.connect()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        assert unit_of_peer(accepted, boot_time()) == "shop.service"
    unit_of_peer(accepted, 0)  # on old kernels: a number that went to another process
    peers.cgroup = lambda: "0::/"
    assert unit_of_peer(accepted, boot_time()) == ""
    assert len(os.listdir("/proc/self/fd")) == before
    process.kill()
    process.wait()
    assert unit_of_peer(accepted, boot_time()) == ""
    assert len(os.listdir("/proc/self/fd")) == before


def test_where_others_than_root_manage_the_slice_there_are_no_units(
    peers: Peers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted, _ = peers.connect()
    monkeypatch.setattr(units, "system_slice_is_roots", lambda: False)
    assert unit_of_peer(accepted, boot_time()) == ""


@pytest.mark.needs_root
def test_whose_the_slice_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mountinfo"
    monkeypatch.setattr(units, "_MOUNTS", mounts)
    place = tmp_path / "system.slice"

    def found(line: str = f"41 31 0:38 / {tmp_path} rw,relatime shared:4 - cgroup2 cgroup2 rw\n") -> bool:
        mounts.write_text("22 1 0:20 / / rw - ext4 /dev/vda rw\n" + line)
        units.system_slice_is_roots.cache_clear()
        return units.system_slice_is_roots()

    try:
        assert not found()
        place.mkdir(mode=0o755)
        assert found()
        assert not found("")
        assert not found(f"41 31 0:38 / {tmp_path} rw,relatime - tmpfs cgroup2 rw\n")
        assert not found(f"41 31 0:38 /user.slice/x {tmp_path} rw,relatime - cgroup2 cgroup2 rw\n")
        place.chmod(0o775)
        assert not found()
        place.chmod(0o755)
        os.chown(place, 1000, 0)
        assert not found()
    finally:
        units.system_slice_is_roots.cache_clear()


def test_a_peer_is_asked_about_when_its_unit_is_wanted_and_once(peers: Peers) -> None:
    accepted, _ = peers.connect()
    reads: list[str] = []

    def read() -> str:
        reads.append("cgroup")
        return SHOP

    peers.cgroup = read
    peer = peer_of(accepted)
    assert reads == []
    assert [peer.way.unit, peer.way.unit] == ["shop.service"] * 2
    # Only root moves a process into another unit; what it was when it was asked first counts for the connection.
    peers.cgroup = lambda: "0::/system.slice/other.service\n"
    assert peer.way.unit == "shop.service"
    assert reads == ["cgroup"]


def test_tcp_has_no_unit() -> None:
    assert Way("192.0.2.1").unit == ""


@pytest.mark.usefixtures("kernel")
def test_peers_that_end_at_any_moment_never_have_another_unit(peers: Peers) -> None:
    """The number's cgroup becomes another one when the process has ended, as it does when the number is used again."""
    for _ in range(10):
        accepted, process = peers.connect()

        def read(process: "subprocess.Popen[bytes]" = process) -> str:
            return SHOP if process.poll() is None else "0::/system.slice/other.service\n"

        peers.cgroup = read
        accepted_at = boot_time()
        killer = threading.Thread(target=end, args=(process,))
        killer.start()
        found = {unit_of_peer(accepted, accepted_at) for _ in range(200)}
        killer.join()
        assert found <= {"shop.service", ""}
        assert unit_of_peer(accepted, accepted_at) == ""
