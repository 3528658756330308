"""What `adapters/child.py` does for a child, under a real supervisor."""

import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from secretsd.supervisor import ChildSpec, run_once

SERVING = """
import asyncio, json, os, time
import msgspec
from secretsd.adapters.child import Control, configuration, harden, listener

class Configuration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    journal: str
    listen_fd: int = 4

async def serve(wanted):
    async def answer(reader, writer):
        if await reader.read(1) == b"h":
            time.sleep(3600)
        writer.close()
    server = await asyncio.start_unix_server(answer, sock=listener(wanted.listen_fd))
    control = Control()
    control.ready()
    await server.serve_forever()

harden()
wanted = configuration(Configuration)
with open(wanted.journal, "a") as journal:
    journal.write(json.dumps({"pid": os.getpid(), "standard_input": os.readlink("/proc/self/fd/0"),
        "inheritable": os.get_inheritable(3), "limits": open("/proc/self/limits").read()}) + "\\n")
asyncio.run(serve(wanted))
"""
CONFIGURED = """
import os
os.dup2(1, 2)
import msgspec
from secretsd.adapters.child import configuration, listener

class Inner(msgspec.Struct, forbid_unknown_fields=True):
    pin: str
    tries: int = 1

class Configuration(msgspec.Struct, forbid_unknown_fields=True):
    inner: Inner
    mode: str = ""

wanted = configuration(Configuration)
listener(int(os.environ["LISTENER"]))
"""


@pytest.fixture
def serving(supervised):
    """A hardened child of asyncio that serves, and its path."""
    path = supervised.directory / "child.sock"
    described = supervised.child(listeners=[{"kind": "unix", "path": str(path)}], stall_seconds=1.0)
    supervised.start({**described, "argv": [sys.executable, "-I", "-c", SERVING]})
    supervised.ready()
    return path


def test_a_child_hides_what_it_was_told(supervised, serving):
    here = supervised.started(1)
    assert here["standard_input"] == "/dev/null"
    assert here["inheritable"] is False
    (core,) = (line for line in here["limits"].splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]
    assert supervised.stop() == 0


def test_a_blocked_event_loop_is_noticed(supervised, serving):
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(serving))
        asking.send(b"h")
        supervised.started(2)
    supervised.said("it did not answer for 1 s")
    assert supervised.stop() == 0


def test_the_kernel_ends_even_a_stopped_child_with_its_supervisor(supervised, serving, wait_for, is_alive):
    pid = supervised.started(1)["pid"]
    os.kill(pid, signal.SIGSTOP)
    supervised.running.kill()
    wait_for("the end of the child", lambda: not is_alive(pid))


@pytest.mark.needs_root
@pytest.mark.parametrize("hardened", [True, False])
def test_another_process_of_its_uid_cannot_look_into_it(hardened):
    """Both have no capability, as processes of one user have; the one without hardening shows that looking works."""
    program = "import os, sys\nfrom secretsd.adapters.child import harden\n"
    program += "harden(control_fd=None)\n" if hardened else ""
    program += "print(flush=True)\nsys.stdin.read()"
    plain = ["/usr/bin/setpriv", "--inh-caps=-all", "--bounding-set=-all", "--"]
    with subprocess.Popen(
        [*plain, sys.executable, "-I", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == b"\n"
        looks = [
            subprocess.run([*plain, *command, f"/proc/{child.pid}/{what}"], capture_output=True).returncode
            for command, what in (
                (["/bin/cat"], "environ"),
                (["/bin/readlink"], "fd/0"),
                (["/usr/bin/head", "-c0"], "mem"),
            )
        ]
        child.stdin.close()
    assert [status == 0 for status in looks] == [not hardened] * 3


def once(document, listener="3"):
    argv = (sys.executable, "-I", "-c", CONFIGURED)
    configuration = document if isinstance(document, bytes) else json.dumps(document).encode()
    return run_once(
        ChildSpec("once", argv, os.getuid(), os.getgid(), configuration, environment={"LISTENER": listener})
    )


@pytest.mark.parametrize(
    ("document", "place"),
    [
        (b"", b""),
        (b"s3cret", b""),
        ({}, b""),
        ({"inner": {"pin": "s3cret"}, "s3cret": 1}, b""),
        ({"inner": {"pin": "s3cret", "tries": "s3cret"}}, b", see $.inner.tries"),
        ({"inner": {"pin": ["s3cret"]}}, b", see $.inner.pin"),
    ],
)
def test_a_fault_is_told_by_place_and_never_by_value(document, place):
    said = b"cannot read the configuration: it is no JSON document of the expected form" + place + b"\n"
    assert once(document) == (78, said)


@pytest.mark.parametrize(
    ("fd", "said"), [("0", b"descriptor 0 is no socket"), ("3", b"descriptor 3 is no listening socket")]
)
def test_what_does_not_listen_is_refused(fd, said):
    assert once({"inner": {"pin": "1234"}}, fd) == (78, b"cannot serve: " + said + b"\n")
