"""Root of the host is uid 0 in the daemon's own pid namespace; root of a container is not, nor one that is not sure."""

import errno
import os
import re
import socket
from pathlib import Path
from typing import cast

import pytest

from secretsd.operations.authenticator import Caller
from secretsd.operations.request_facts import Way
from secretsd.transport import processes
from secretsd.transport.peer import peer_of
from secretsd.transport.processes import boot_time, credentials, is_of_this_host
from tests.unit.transport.peers import NO_SUCH_OPTION, Peers, end

pytestmark = pytest.mark.needs_root
CONTAINER = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


def is_root(accepted: socket.socket) -> bool:
    """As the pipeline asks it of the caller behind a connection."""
    peer = peer_of(accepted)
    return Caller(peer.source, peer.uid, way=peer.way).is_root


@pytest.mark.usefixtures("kernel")
def test_root_of_the_host_is_root(peers: Peers) -> None:
    accepted, _ = peers.connect()
    assert is_root(accepted)


@pytest.mark.usefixtures("kernel")
def test_root_of_a_container_is_not(peers: Peers) -> None:
    """For the kernel it is uid 0, and has a number here as well."""
    accepted, _ = peers.connect(*CONTAINER)
    pid, uid = credentials(accepted)
    assert pid > 0
    assert uid == 0
    assert len(namespaces(pid)) == 2
    assert not is_root(accepted)


def namespaces(pid: int) -> list[str]:
    found = re.search(r"^NSpid:(.*)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return found[1].split()


@pytest.mark.usefixtures("kernel")
def test_nor_is_one_that_has_ended_since(peers: Peers) -> None:
    """It is asked each time: one that hands its connection on and ends does not leave that to anybody."""
    accepted, process = peers.connect()
    way = peer_of(accepted).way
    assert way.is_root_of_host
    end(process)
    assert not way.is_root_of_host


@pytest.mark.usefixtures("kernel")
def test_nor_one_that_ends_while_it_is_looked_at(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted, process = peers.connect()
    genuine = processes.read

    def read(pid: int, name: str) -> str:
        text = genuine(pid, name)
        end(process)
        return text

    monkeypatch.setattr(processes, "read", read)
    assert not is_of_this_host(accepted, boot_time())


def test_nor_one_whose_number_went_to_a_later_process(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted, _ = peers.connect()
    monkeypatch.setattr(processes, "SO_PEERPIDFD", NO_SUCH_OPTION)
    assert not is_of_this_host(accepted, 0)


@pytest.mark.parametrize("text", ["", "Uid:\t0\t0\t0\t0\n", "NSpid:\t7\t1\n", "NSpid:\n", "xNSpid:\t7\n"])
def test_nor_one_of_which_the_kernel_does_not_tell(peers: Peers, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted, _ = peers.connect()
    monkeypatch.setattr(processes, "read", lambda *_: text)
    assert not is_root(accepted)


def test_nor_one_of_a_namespace_outside_which_has_no_number_here(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted, _ = peers.connect()
    monkeypatch.setattr(processes, "credentials", lambda _: (0, 0))
    assert not is_of_this_host(accepted, boot_time())


def test_nor_one_of_which_the_kernel_lends_no_handle_now(peers: Peers) -> None:
    accepted, _ = peers.connect()

    class Without:
        def getsockopt(self, level: int, option: int, size: int) -> bytes:
            if option == processes.SO_PEERPIDFD:
                raise OSError(errno.EMFILE, "too many open files")
            return accepted.getsockopt(level, option, size)

    assert not is_of_this_host(cast("socket.socket", Without()), boot_time())


def test_another_uid_is_not_even_looked_at() -> None:
    def look() -> bool:
        raise AssertionError("it is not root anyway")

    assert not Way(uid=1000, is_of_host=look).is_root_of_host
    assert not Way("192.0.2.1", is_of_host=look).is_root_of_host
    assert not Way(uid=0).is_root_of_host


@pytest.mark.usefixtures("kernel")
def test_no_descriptor_stays_open(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted, process = peers.connect()
    before = len(os.listdir("/proc/self/fd"))
    assert is_of_this_host(accepted, boot_time())
    is_of_this_host(accepted, 0)
    with monkeypatch.context() as patch:

        def fails(*_: object) -> str:
            raise FileNotFoundError

        patch.setattr(processes, "read", fails)
        assert not is_of_this_host(accepted, boot_time())
    process.kill()
    process.wait()
    assert not is_of_this_host(accepted, boot_time())
    assert len(os.listdir("/proc/self/fd")) == before
