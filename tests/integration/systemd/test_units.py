"""The three units under a real systemd, hardening and all: they serve, come back, and cannot look into each other."""

import time

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.needs_root]
SERVICES = ("secretsd", "secretsd-keystore", "secretsd-rotator")
ROTATORS = """
import asyncio
from pathlib import Path
from secretsd.adapters.rotator_host.client import ProcessRotatorHost
from secretsd.ports.rotator import JobOrder, RotationFailed
async def ask():
    host = ProcessRotatorHost(Path("/run/secretsd/rotator.sock"), attempt_seconds=30)
    try:
        print(*(one.name for one in await host.rotators()))
        made = await host.prepare(JobOrder("000000000001", "random", "some/secret", '{"length": 40}', 1, None))
        print(len(made.value))
    except RotationFailed as failure:
        print(failure.reason)
asyncio.run(ask())
"""


def as_user(user):
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--"]


def main_pid(box, service):
    return int(box.show(f"{service}.service", "MainPID"))


def processes(box, service):
    """The pids of a service's whole cgroup."""
    group = box.show(f"{service}.service", "ControlGroup")
    listed = box.run("cat", f"/sys/fs/cgroup{group}/cgroup.procs", check=False).stdout
    return [int(pid) for pid in listed.split()]


def wait_for(box, what, condition):
    deadline = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited for {what}: {box.journal()}"
        time.sleep(0.1)
    return found


def test_each_service_runs_under_its_own_user(box):
    for service in SERVICES:
        assert box.show(f"{service}.service", "ActiveState") == "active"
        pids = processes(box, service)
        assert len(pids) == (3 if service == "secretsd-keystore" else 2)  # the key store has two lanes
        users = {box.run("stat", "-c", "%U", f"/proc/{pid}/task/{pid}/comm").stdout.strip() for pid in pids}
        owners = {box.run("sh", "-c", f"grep ^Uid: /proc/{pid}/status").stdout.split()[1] for pid in pids}
        assert owners == {box.run("id", "-u", service).stdout.strip()}
        assert users == {"root"}  # of their files in /proc: the processes have closed themselves to their own user


def test_a_secret_goes_in_and_comes_out(box):
    box.run("secretsctl", "put", "prod/db/app", "-", given="a value")
    assert box.run("secretsctl", "get", "prod/db/app").stdout.rstrip("\n") == "a value"


def test_rotators_run_for_the_workers_and_for_nobody_else(box):
    python = ["/opt/venv/bin/python", "-I", "-c", ROTATORS]
    assert box.run(*as_user("secretsd"), *python).stdout.split() == ["random", "40"]
    assert box.run(*python).stdout.split() == ["host-away"]
    assert box.run(*as_user("daemon"), *python).stdout.split() == ["host-away"]


@pytest.mark.parametrize("other", ["secretsd", "secretsd-rotator"])
def test_the_key_store_is_closed_to_the_other_users(box, other):
    (_, *lanes) = processes(box, "secretsd-keystore")
    assert len(lanes) == 2
    for command in (
        *(["cat", f"/proc/{pid}/environ"] for pid in lanes),
        *(["readlink", f"/proc/{pid}/fd/0"] for pid in lanes),
        ["ls", "/var/lib/secretsd/keystore"],
        ["ls", "/run/credentials/secretsd-keystore.service"],
    ):
        assert box.run(*as_user(other), *command, check=False).returncode != 0, command
        box.run(*command)  # root may, so it is the user that is turned away


def test_the_pin_is_in_no_argument_variable_or_journal(box, pin):
    for service in SERVICES:
        for process in processes(box, service):
            for what in ("cmdline", "environ"):
                assert pin not in box.run("cat", f"/proc/{process}/{what}").stdout
    assert pin not in box.run("journalctl", "--no-pager", "-q", "-o", "export").stdout


@pytest.mark.parametrize("service", SERVICES)
def test_a_killed_service_leaves_nothing_behind_and_comes_back(box, service):
    before = processes(box, service)
    box.run("kill", "-9", str(main_pid(box, service)))

    def serves_again():
        return box.show(f"{service}.service", "ActiveState") == "active" and main_pid(box, service) not in before

    wait_for(box, f"{service} again", serves_again)
    assert set(processes(box, service)).isdisjoint(before)
    box.run("secretsctl", "put", f"after/{service}", "-", given="still here")
    assert box.run("secretsctl", "get", f"after/{service}").stdout.rstrip("\n") == "still here"


def test_a_restart_keeps_the_sockets(box):
    inode = box.run("stat", "-c", "%i", "/run/secretsd/secretsd.sock").stdout
    box.run("systemctl", "restart", "secretsd.service")
    assert box.run("stat", "-c", "%i", "/run/secretsd/secretsd.sock").stdout == inode
    box.run("secretsctl", "put", "after/restart", "-", given="still here")


def test_stopping_is_polite(box):
    units = [f"{service}.service" for service in SERVICES]
    cursor = box.run("journalctl", "--no-pager", "-q", "-n", "1", "--show-cursor").stdout.rpartition("-- cursor: ")[2]
    box.run("systemctl", "stop", *units)
    for unit in units:
        assert (box.show(unit, "ActiveState"), box.show(unit, "Result")) == ("inactive", "success")
    said = box.run("journalctl", "--no-pager", "-q", f"--after-cursor={cursor.strip()}").stdout
    assert "Stopped secretsd.service" in said
    assert "killed" not in said
    # The first caller starts it again by its socket.
    box.run("secretsctl", "put", "after/stop", "-", given="still here")


def test_without_its_pin_the_key_store_stays_stopped(box):
    sockets = ("secretsd-keystore.socket", "secretsd-keystore-slow.socket")
    box.run("systemctl", "stop", "secretsd-keystore.service", *sockets)
    box.run("mv", "/etc/credstore.encrypted/hsm-pin", "/etc/credstore.encrypted/elsewhere")
    assert box.run("systemctl", "start", "secretsd-keystore.service", check=False).returncode != 0
    wait_for(box, "the end", lambda: box.show("secretsd-keystore.service", "ActiveState") == "failed")
    assert box.show("secretsd-keystore.service", "ExecMainStatus") == "78"
    assert (
        "cannot read the PIN from "
        in box.run("journalctl", "--no-pager", "-q", "-u", "secretsd-keystore.service").stdout
    )
