"""What a child is given: its descriptors, its uid, a bare environment, and the configuration by pipe alone."""

import os
import signal
import socket

import pytest

PIN = "c4nary-pin-1357"
NOBODY = 65534


def test_a_child_gets_its_descriptors_and_no_other(supervised):
    listeners = [
        {"kind": "unix", "path": str(supervised.directory / "a.sock")},
        {"kind": "tcp", "host": "127.0.0.1", "port": 0},
    ]
    stray = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(stray, True)
    try:
        supervised.start(supervised.child(listeners=listeners), supervised.child("other"), pass_fds=[stray])
    finally:
        os.close(stray)
    supervised.ready()
    here = supervised.started(1)
    assert here["fds"] == [0, 1, 2, 3, 4, 5]
    assert [here["kinds"][fd] for fd in "034"] == ["pipe", "socket", "socket"]
    assert supervised.started(1, "other")["fds"] == [0, 1, 2, 3]
    assert supervised.stop() == 0


def test_a_child_starts_clean(supervised):
    supervised.start(
        supervised.child(environment={"EXTRA": "given"}),
        env={**os.environ, "HARMFUL": "inherited", "PYTHONPATH": "/nowhere"},
        preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1]),
        umask=0,
    )
    supervised.ready()
    here = supervised.started(1)
    variables = {one.partition("=")[0] for one in here["environ"].split("\0") if one}
    assert variables == {"PATH", "LANG", "EXTRA"}
    assert (here["umask"], here["directory"], here["session"]) == (0o077, "/", here["pid"])
    assert here["no_new_privileges"] == "1"
    # Python itself ignores SIGPIPE (13) and SIGXFSZ (25).
    assert (here["blocked"], here["ignored"] & ~(1 << 12 | 1 << 24)) == (0, 0)
    assert supervised.stop() == 0


@pytest.mark.needs_root
def test_children_run_under_the_uids_that_they_are_given(supervised):
    supervised.start(
        supervised.child("one", uid=NOBODY, gid=NOBODY),
        supervised.child("two", uid=NOBODY - 1, gid=NOBODY - 2),
    )
    supervised.ready()
    one, two = supervised.started(1, "one"), supervised.started(1, "two")
    assert (one["uids"], one["gids"], one["groups"]) == ([NOBODY] * 3, [NOBODY] * 3, [])
    assert (two["uids"], two["gids"], two["groups"]) == ([NOBODY - 1] * 3, [NOBODY - 2] * 3, [])
    os.kill(one["pid"], signal.SIGKILL)
    assert supervised.started(2, "one")["uids"] == [NOBODY] * 3
    assert supervised.stop() == 0


@pytest.mark.needs_root
def test_a_uid_that_cannot_be_had_is_a_fault_of_configuration(supervised):
    unprivileged = ["/usr/bin/setpriv", f"--reuid={NOBODY}", "--clear-groups", "--inh-caps=-all", "--"]
    supervised.start(supervised.child(uid=NOBODY - 1, gid=NOBODY - 1), wrap=unprivileged)
    assert supervised.running.wait(30) == 78
    assert "cannot start child: Operation not permitted" in supervised.errors()
    assert supervised.starts() == []


def test_a_program_that_is_not_there_is_a_fault_of_configuration(supervised):
    supervised.start({**supervised.child(), "argv": ["/no/such/program"]})
    assert supervised.running.wait(30) == 78
    assert "cannot start child: No such file or directory" in supervised.errors()


@pytest.mark.parametrize("size", [0, 100, 900_000])
def test_the_configuration_arrives_by_pipe_and_is_nowhere_to_be_seen(supervised, size):
    pin = (PIN * (size // len(PIN) + 1))[:size]
    supervised.start(supervised.child(configuration={"pin": pin}), supervised.child("other"))
    supervised.ready()
    for name in ("child", "other"):
        here = supervised.started(1, name)
        assert PIN not in here["environ"] + here["command"]
    assert supervised.started(1)["secret_length"] == size
    # A restart hands it over again, and the end of the pipe comes again.
    os.kill(supervised.started(1)["pid"], signal.SIGKILL)
    assert supervised.started(2)["secret_length"] == size
    assert PIN not in supervised.errors()
    assert supervised.stop() == 0


def test_two_children_share_a_socket_and_it_outlives_them(supervised, wait_for):
    path = supervised.directory / "shared.sock"
    listeners = [{"kind": "unix", "path": str(path)}]
    supervised.start(*(supervised.child(name, listeners=listeners) for name in ("worker-1", "worker-2")))
    addresses = supervised.ready()
    assert addresses == {str(path): str(path)}
    pids = {supervised.started(1, name)["pid"] for name in ("worker-1", "worker-2")}
    first = answer(socket.AF_UNIX, str(path))
    assert first in pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    with socket.socket(socket.AF_UNIX) as waiting:
        waiting.settimeout(30)
        waiting.connect(str(path))  # nobody accepts: it waits in the backlog, which is the supervisor's
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        assert int(waiting.recv(100)) not in pids
    assert supervised.stop() == 0
    assert not path.exists()


def test_a_tcp_port_of_the_kernels_choice_is_told(supervised):
    supervised.start(supervised.child(listeners=[{"kind": "tcp", "host": "127.0.0.1", "port": 0}]))
    ((_, address),) = supervised.ready().items()
    host, _, port = address.rpartition(":")
    assert host == "127.0.0.1"
    assert answer(socket.AF_INET, (host, int(port))) == supervised.started(1)["pid"]
    assert supervised.stop() == 0


def answer(family, address):
    with socket.socket(family) as asking:
        asking.settimeout(30)
        asking.connect(address)
        return int(asking.recv(100))
