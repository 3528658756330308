"""SECURITY 9: as another process's uid nobody reads the keystore's memory, descriptors, token or PIN."""

import contextlib
import ctypes
import errno
import os
import signal
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from secretsd.adapters.keystore_process import messages as m
from secretsd.testing.intruder import HungUp, KeyStoreLine, as_user

pytestmark = [pytest.mark.integration, pytest.mark.needs_root]
WORKER, KEYSTORE, ROTATOR, NOBODY = 61701, 61702, 61703, 65534
REFUSED = rf"^\[Errno ({errno.EPERM}|{errno.EACCES})\]"
PTRACE_ATTACH, PTRACE_DETACH = 16, 17
libc = ctypes.CDLL(None, use_errno=True)


class Span(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


def _checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result


def read_memory(pid):
    with open(f"/proc/{pid}/maps") as maps:
        start = int(maps.readline().partition("-")[0], 16)
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(start)
        return len(memory.read(16))


def read_memory_by_call(pid):
    buffer = ctypes.create_string_buffer(16)
    here, there = Span(ctypes.addressof(buffer), 16), Span(0x1000, 16)
    try:
        return _checked(libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0))
    except OSError as error:
        if error.errno == errno.EFAULT:  # allowed, and only the address was none
            return 0
        raise


def read_environment(pid):
    return Path(f"/proc/{pid}/environ").read_bytes()


def read_descriptors(pid):
    return os.listdir(f"/proc/{pid}/fd")


def take_a_descriptor(pid):
    found = os.pidfd_open(pid)
    pidfd_getfd = 438
    return _checked(libc.syscall(pidfd_getfd, found, 0, 0))


def read_auxiliary(pid):
    return Path(f"/proc/{pid}/auxv").read_bytes()


def see_its_working_directory(pid):
    return os.readlink(f"/proc/{pid}/cwd")


def attach(pid):
    _checked(libc.ptrace(PTRACE_ATTACH, pid, 0, 0))
    os.waitpid(pid, 0)
    libc.ptrace(PTRACE_DETACH, pid, 0, 0)


def write_memory(pid):
    with open(f"/proc/{pid}/mem", "r+b", buffering=0):
        return True


INTO_A_PROCESS = [
    read_memory, read_memory_by_call, read_environment, read_descriptors, take_a_descriptor, read_auxiliary,
    see_its_working_directory, attach, write_memory,
]  # fmt: skip


@pytest.fixture(scope="module")
def careless():
    """A process of the worker's uid that did not harden itself: what a probe can do to it proves the probe."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", "import os, sys; sys.stdout.write('x'); sys.stdout.flush(); sys.stdin.read()"],
        user=WORKER, group=WORKER, extra_groups=[], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.read(1)
    yield process.pid
    process.kill()
    process.communicate()


@pytest.mark.parametrize("probe", INTO_A_PROCESS, ids=lambda probe: probe.__name__)
def test_the_probes_work_on_a_process_that_did_not_harden_itself(careless, probe):
    as_user(WORKER, lambda: probe(careless))


@pytest.mark.parametrize("probe", INTO_A_PROCESS, ids=lambda probe: probe.__name__)
@pytest.mark.parametrize("role", ["keystore", "keystore-slow", "worker", "rotator"])
@pytest.mark.parametrize("uid", [WORKER, ROTATOR, KEYSTORE, NOBODY], ids=["worker", "rotator", "keystore", "nobody"])
def test_no_uid_gets_into_any_process_not_even_its_own(target, uid, role, probe):
    (pid,) = target.daemon.children(role)
    with pytest.raises(OSError, match=REFUSED):
        as_user(uid, lambda: probe(pid))
    assert target.daemon.children(role) == [pid]


@pytest.mark.parametrize("probe", INTO_A_PROCESS, ids=lambda probe: probe.__name__)
def test_nor_into_the_supervisor(target, probe):
    for uid in (WORKER, ROTATOR, KEYSTORE, NOBODY):
        with pytest.raises(OSError, match=REFUSED):
            as_user(uid, partial(probe, target.daemon.pid))


def test_every_process_has_a_uid_of_its_own_and_no_other_groups(target):
    for role, uid in (
        ("worker", WORKER),
        ("keystore", KEYSTORE),
        ("keystore-slow", KEYSTORE),
        ("rotator", ROTATOR),
    ):
        (pid,) = target.daemon.children(role)
        status = dict(
            line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
        )
        assert status["Uid"].split() == [str(uid)] * 4
        assert status["Gid"].split() == [str(uid)] * 4
        assert status["Groups"].split() in ([], [str(uid)])
        assert int(status["CapPrm"], 16) == int(status["CapEff"], 16) == int(status["CapAmb"], 16) == 0


def test_no_process_leaves_a_core(target):
    for role in ("worker", "keystore", "keystore-slow", "rotator"):
        (pid,) = target.daemon.children(role)
        (line,) = [
            line for line in Path(f"/proc/{pid}/limits").read_text().splitlines() if line.startswith("Max core file")
        ]
        assert line.split()[4:6] == ["0", "0"]
        # A process that is not dumpable belongs to root in /proc, whatever its uid.
        assert os.stat(f"/proc/{pid}/environ").st_uid == 0


def refused_files(state):
    keystore, storage = state / "keystore", state / "storage"
    yield from ((uid, state / "pin") for uid in (WORKER, KEYSTORE, ROTATOR, NOBODY))
    yield from ((uid, state / "admin.env") for uid in (WORKER, KEYSTORE, ROTATOR, NOBODY))
    for path in [keystore, *keystore.rglob("*")]:
        yield from ((uid, path) for uid in (WORKER, ROTATOR, NOBODY))
    for path in [storage, *storage.rglob("*")]:
        yield from ((uid, path) for uid in (KEYSTORE, ROTATOR, NOBODY))


def test_token_pin_and_storage_are_closed_to_everybody_else(target):
    tried = list(refused_files(target.daemon.state_dir))
    names = {path.name for _, path in tried}
    assert {"pin", "tokens", "token.object", "softhsm2.conf", "storage-key.sealed", "main.db", "audit.db"} <= names
    opened = []
    for uid in {uid for uid, _ in tried}:
        paths = [path for owner, path in tried if owner == uid]

        def attempt(paths=paths):
            found = []
            for path in paths:
                for mode in (os.O_RDONLY, os.O_WRONLY):
                    try:
                        os.close(os.open(path, mode))
                        found.append(str(path))
                    except PermissionError:
                        pass
                    except IsADirectoryError:
                        pass
            return found

        opened += [(uid, path) for path in as_user(uid, attempt)]
    assert opened == []
    for path, owner in (
        (target.daemon.state_dir / "keystore", KEYSTORE),
        (target.daemon.state_dir / "storage", WORKER),
    ):
        assert as_user(owner, partial(os.listdir, path))


def test_only_the_worker_reaches_the_inner_sockets(target):
    for name in ("keystore.sock", "rotator.sock"):
        path = str(target.daemon.state_dir / "run" / name)

        def connect(path=path):
            socket.socket(socket.AF_UNIX).connect(path)

        as_user(WORKER, connect)
        for uid in (KEYSTORE, ROTATOR, NOBODY, 1000):
            with pytest.raises(PermissionError):
                as_user(uid, connect)


def test_who_passes_the_file_permissions_is_still_asked_for_his_uid(target):
    """Root passes every permission; the process itself looks at the peer's uid, so a wrong mode opens nothing."""
    target.logged()
    with KeyStoreLine(target.keystore_socket) as line, pytest.raises(HungUp):
        line.ask(m.StorageKey)
    assert "connection of uid 0" in target.logged()
    with socket.socket(socket.AF_UNIX) as rotator, contextlib.suppress(ConnectionResetError):
        rotator.settimeout(30)
        rotator.connect(str(target.daemon.state_dir / "run" / "rotator.sock"))
        assert rotator.recv(1) == b""


def test_the_worker_has_no_part_of_the_keystore_process_in_memory(target):
    """The process that parses the network maps no PKCS#11 library; the one with the PIN has no TCP socket."""
    (worker,), (keystore,) = target.daemon.children("worker"), target.daemon.children("keystore")
    assert "softhsm" not in Path(f"/proc/{worker}/maps").read_text()
    assert "softhsm" in Path(f"/proc/{keystore}/maps").read_text()
    for network in ("tcp", "tcp6", "udp", "udp6", "raw"):
        inodes = {line.split()[9] for line in Path(f"/proc/{keystore}/net/{network}").read_text().splitlines()[1:]}
        held = {os.readlink(f"/proc/{keystore}/fd/{fd}") for fd in os.listdir(f"/proc/{keystore}/fd")}
        assert not held & {f"socket:[{inode}]" for inode in inodes}


def test_pin_and_configuration_are_in_no_argument_and_no_environment(target):
    pin = (target.daemon.state_dir / "pin").read_text().strip().encode()
    token = target.daemon.token.encode()
    pids = [
        target.daemon.pid,
        *(pid for role in ("keystore", "keystore-slow", "worker", "rotator") for pid in target.daemon.children(role)),
    ]
    for pid in pids:
        for name in ("cmdline", "environ"):
            told = Path(f"/proc/{pid}/{name}").read_bytes()
            assert pin not in told
            assert token not in told


def test_children_end_with_the_supervisor(state_path):
    from secretsd.testing.daemon import ROLES, Daemon

    daemon = Daemon(state_path / "second")
    daemon.start()
    children = [pid for role in ROLES for pid in daemon.children(role)]
    assert len(children) == 4
    os.kill(daemon.pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in children):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    daemon.kill()
