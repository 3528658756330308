"""Listening sockets: stale ones are replaced, living ones are not, and systemd's are taken over by name."""

import json
import os
import socket
import stat
import subprocess
import sys
import threading

import pytest

from secretsd.supervisor import InheritedListener, TCPListener, UnixListener
from secretsd.supervisor.sockets import CannotListen, Sockets


@pytest.fixture
def sockets():
    opened = Sockets({})
    yield opened
    opened.close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.sock"


def test_a_stale_socket_is_replaced(sockets, path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    sockets.open([UnixListener(path)])
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(path))


def test_the_last_moments_of_a_predecessor_are_waited_for(sockets, path):
    with socket.socket(socket.AF_UNIX) as dying, socket.socket() as dying_too:
        dying.bind(str(path))
        dying.listen(0)
        dying_too.bind(("127.0.0.1", 0))
        dying_too.listen(0)
        port = dying_too.getsockname()[1]

        def close_both():
            dying.close()
            dying_too.close()

        end = threading.Timer(0.1, close_both)
        end.start()
        sockets.open([UnixListener(path), TCPListener("127.0.0.1", port)])
        end.join()
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(path))


def test_a_socket_that_somebody_serves_is_left_alone(sockets, path):
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(str(path))
        living.listen(0)
        inode = os.stat(path).st_ino
        # Again with its backlog full, where a connection attempt is not answered at all.
        waiting = []
        for _ in range(3):
            with pytest.raises(CannotListen, match=r"some\.sock: another process serves it"):
                sockets.open([UnixListener(path)])
            waiting.append(socket.socket(socket.AF_UNIX))
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(str(path))
        assert os.stat(path).st_ino == inode
        for one in waiting:
            one.close()


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_what_is_no_socket_is_never_taken_away(sockets, path, kind):
    if kind == "file":
        path.write_text("precious")
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to(path.parent / "elsewhere")
    with pytest.raises(CannotListen, match="something that is no socket is there"):
        sockets.open([UnixListener(path)])
    assert os.path.lexists(path)


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_the_mode_is_exact_whatever_the_umask(sockets, path, mode):
    before = os.umask(0)
    try:
        sockets.open([UnixListener(path, mode=mode)])
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(path).st_mode) == mode


@pytest.mark.needs_root
def test_the_owner_is_who_may_connect(sockets, path):
    sockets.open([UnixListener(path, owner=65534, group=65533)])
    found = os.stat(path)
    assert (found.st_uid, found.st_gid) == (65534, 65533)


def test_equal_listeners_are_one_socket(sockets, path):
    sockets.open([UnixListener(path), TCPListener("127.0.0.1", 0)])
    fd = sockets.fd(UnixListener(path))
    sockets.open([UnixListener(path)])
    assert sockets.fd(UnixListener(path)) == fd


def test_the_end_takes_away_our_path_and_nobody_elses(path):
    first = Sockets({})
    first.open([UnixListener(path)])
    path.rename(path.with_suffix(".moved"))
    second = Sockets({})
    second.open([UnixListener(path)])
    first.close()
    assert path.exists()
    second.close()
    assert not path.exists()


def test_a_port_that_is_taken_is_told(sockets):
    with socket.socket() as living:
        living.bind(("127.0.0.1", 0))
        living.listen()
        port = living.getsockname()[1]
        with pytest.raises(CannotListen, match=rf"127\.0\.0\.1:{port}: Address already in use"):
            sockets.open([TCPListener("127.0.0.1", port)])


def test_a_host_that_is_none_is_told(sockets):
    with pytest.raises(CannotListen, match="its host is unknown"):
        sockets.open([TCPListener("no such host", 1)])


def test_a_socket_that_systemd_did_not_pass_is_told(sockets):
    with pytest.raises(CannotListen, match="the socket 'api' from systemd: systemd passed no such socket"):
        sockets.open([InheritedListener("api")])


def test_variables_for_another_process_are_not_ours():
    environment = {"LISTEN_PID": str(os.getpid() + 1), "LISTEN_FDS": "3", "LISTEN_FDNAMES": "a:b:c", "OTHER": "kept"}
    opened = Sockets(environment)
    with pytest.raises(CannotListen):
        opened.open([InheritedListener("a")])
    assert environment == {"OTHER": "kept"}


TAKES_OVER = """
import json, os
from secretsd.supervisor import InheritedListener
from secretsd.supervisor.sockets import CannotListen, Sockets
sockets = Sockets(os.environ)
wanted = [InheritedListener("api", 0), InheritedListener("api", 1), InheritedListener("web")]
sockets.open(wanted)
try:
    sockets.open([InheritedListener("log")])
except CannotListen as error:
    refused = str(error)
print(json.dumps([list(sockets.addresses().values()), refused, sorted(set(os.environ) & {"LISTEN_FDS", "LISTEN_PID"}),
                  [os.get_inheritable(sockets.fd(one)) for one in wanted]]))
"""


def test_sockets_of_systemd_are_found_by_name_and_number(tmp_path):
    paths = [tmp_path / name for name in ("one", "two", "three", "quiet")]
    opened = [socket.socket(socket.AF_UNIX) for _ in paths]
    for one, path in zip(opened, paths, strict=True):
        one.bind(str(path))
        if path.name != "quiet":
            one.listen()
    places = "; ".join(f"exec {3 + index}<&{50 + index}" for index in range(4))
    script = f'{places}; export LISTEN_PID=$$ LISTEN_FDS=4 LISTEN_FDNAMES=api:web:api:log; exec "$0" -c "$1"'

    def place():
        for index, one in enumerate(opened):
            os.dup2(one.fileno(), 50 + index)

    done = subprocess.run(
        ["/bin/bash", "-c", script, sys.executable, TAKES_OVER],
        close_fds=False,
        preexec_fn=place,
        capture_output=True,
        text=True,
        timeout=30,
    )
    for one in opened:
        one.close()
    assert done.returncode == 0, done.stderr
    expected = [str(paths[index]) for index in (0, 2, 1)]
    refused = "cannot listen on the socket 'log' from systemd: it does not listen"
    assert json.loads(done.stdout) == [expected, refused, [], [False, False, False]]
