"""SECURITY 10: only rotators that the settings name load, only in their own process, which reaches nothing of ours."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from secretsd.adapters.rotator_host.client import ProcessRotatorHost
from secretsd.adapters.rotator_host.configuration import RotatorHostConfiguration
from secretsd.ports.rotator import JobOrder, RotationFailed
from secretsd.supervisor.identities import blocked_at
from secretsd.supervisor.spawn import reap, spawn
from secretsd.supervisor.specification import ChildSpec
from secretsd.testing.daemon import Daemon, running, secret_path
from tests.promises.conftest import NOBODY, ROTATOR

pytestmark = pytest.mark.integration
ADVERSARY = Path(__file__).parent / "rotator_of_an_adversary"
# As `python -I -m secretsd.adapters.rotator_host`, with one more place where distributions are installed.
PROGRAM = (
    f"import sys; sys.path.insert(0, {str(ADVERSARY)!r}); from secretsd.adapters.rotator_host.host import main; main()"
)


@pytest.fixture
def nosy_host(passable_path):
    """A rotator host under the rotator's uid, started as the supervisor starts it, in which `nosy` may load."""
    path = passable_path / "nosy.sock"
    uid = ROTATOR if os.geteuid() == 0 and blocked_at(ADVERSARY) is None else os.geteuid()
    configuration = RotatorHostConfiguration(rotators=("nosy",), allowed_uids=(os.getuid(),))
    document = msgspec.json.encode(configuration)
    spec = ChildSpec(
        name="rotator", argv=(sys.executable, "-I", "-c", PROGRAM), uid=uid, gid=uid, configuration=document
    )
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(16)
        pid, control = spawn(spec, [listening.fileno()])
        with control:
            control.settimeout(30)
            assert control.recv(1) == b"R"
            yield ProcessRotatorHost(path), pid
        reap(pid)


def look_around(host, files, sockets, processes):
    """What the adversary's prepare could reach."""
    wanted = {"files": [str(one) for one in files], "sockets": [str(one) for one in sockets], "processes": processes}
    order = JobOrder("100000000001", "nosy", "app", json.dumps(wanted), 1, None)
    return json.loads(asyncio.run(host.prepare(order)).value.reveal())


@pytest.mark.needs_root
def test_an_attempt_reaches_neither_key_store_nor_storage_nor_any_process(target, nosy_host, passable_path):
    host, host_pid = nosy_host
    daemon = target.daemon
    state = daemon.state_dir
    closed = [state / "keystore", state / "storage", state / "pin", state / "admin.env", state / "secretsd.yaml"]
    closed += [state / "storage" / "main.db", state / "keystore" / "softhsm2.conf"]
    sockets = [state / "run" / "keystore.sock", state / "run" / "rotator.sock"]
    pids = [daemon.pid, host_pid, *(pid for role in ("worker", "keystore", "rotator") for pid in daemon.children(role))]
    found = look_around(host, [path for path in closed if path.exists()], sockets, pids)
    assert found["reached"] == []
    assert found["uids"] == [ROTATOR] * 3
    assert found["groups"] in ([], [ROTATOR])
    assert found["core"] == [0, 0]
    assert not [name for name in found["environment"] if "SECRETSD" in name or "SOFTHSM" in name]
    # Standard streams, its own connection, and what its event loop opened: nothing of the host's.
    assert len(found["descriptors"]) <= 8
    assert not [one for one in found["descriptors"] if str(passable_path) in one or str(state) in one]


@pytest.mark.needs_root
def test_the_same_look_finds_what_is_open(nosy_host, passable_path):
    """The control: a file, a socket and a process that are not closed are all reached."""
    host, _ = nosy_host
    file = passable_path / "open"
    file.write_text("x")
    bystander = subprocess.Popen(["sleep", "60"], user=ROTATOR, group=ROTATOR, extra_groups=[])
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(passable_path / "open.sock"))
            (passable_path / "open.sock").chmod(0o666)
            listening.listen(4)
            found = look_around(host, [file], [passable_path / "open.sock"], [bystander.pid])
    finally:
        bystander.kill()
        bystander.wait()
    pid = bystander.pid
    assert {str(file), str(passable_path / "open.sock"), f"{pid} mem", f"{pid} environ"} <= set(found["reached"])


def test_an_installed_rotator_that_is_not_named_does_not_load(nosy_host):
    host, _ = nosy_host
    assert [one.name for one in asyncio.run(host.rotators())] == ["nosy"]
    for name in ("unnamed", "random", "os", "nosy:Nosy", "../nosy", ""):
        with pytest.raises(RotationFailed, match="unknown-rotator"):
            asyncio.run(host.check_settings(name, "{}"))


def test_a_daemon_whose_settings_name_no_rotator_rotates_nothing(passable_path):
    with running(passable_path / "state", settings={"rotation": {"rotators": []}}) as daemon:
        assert daemon.call("GET", "/v1/rotators").body == {"rotators": []}
        daemon.call("POST", "/v1/secrets", {"name": "app", "text": "plaintext of app"})
        answer = daemon.call("POST", secret_path("app", "rotate"), {"rotator": "random"})
        assert (answer.status, answer.kind) == (400, "invalid-request")
        assert daemon.call("GET", secret_path("app", "value")).body["text"] == "plaintext of app"


def test_a_named_rotator_that_is_not_installed_stops_the_start_with_its_reason(passable_path):
    daemon = Daemon(passable_path / "state", settings={"rotation": {"rotators": ["no-such-rotator"]}})
    with pytest.raises(RuntimeError, match="cannot use the rotator no-such-rotator"):
        daemon.start()


@pytest.mark.parametrize(
    "module", ["secretsd.app", "secretsd.adapters.keystore_process.__main__", "secretsd.cli.daemon"]
)
def test_no_other_process_ever_loads_a_rotators_code(module):
    script = f"import sys; import {module}; print(*[name for name in sys.modules if 'secretsd_rotators' in name])"
    ran = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""


def test_the_host_itself_loads_none_either():
    """Rotators are imported in the attempt, so the process that forks them stays clean."""
    script = (
        "import sys; from secretsd.adapters.rotator_host.host import allowed; found = allowed(('random',));"
        "print(*found, *[name for name in sys.modules if 'secretsd_rotators' in name])"
    )
    ran = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["random"]


@pytest.mark.needs_root
def test_only_a_worker_may_give_the_host_work(target):
    from secretsd.testing.intruder import as_user

    path = str(target.daemon.state_dir / "run" / "rotator.sock")
    for uid in (ROTATOR, NOBODY):
        with pytest.raises(PermissionError):
            as_user(uid, lambda: socket.socket(socket.AF_UNIX).connect(path))
