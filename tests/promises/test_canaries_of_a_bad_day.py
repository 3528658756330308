"""A day of mishaps with a real daemon leaks no value: bad calls, junk, killed and stopped processes, restarts."""

import base64
import contextlib
import os
import secrets
import signal
import socket
import time

import pytest

from secretsd.testing.canaries import Canaries
from secretsd.testing.daemon import ROLES, Daemon, secret_path
from secretsd.testing.policies import document

pytestmark = pytest.mark.integration


def junk(canary: str):
    """Requests that carry a value where none belongs."""
    yield "POST", "/v1/secrets", {"name": "other", "txet": canary}
    yield "POST", "/v1/secrets", {"name": canary + "\n", "text": "x"}
    yield "POST", "/v1/secrets", {"name": "other", "text": {"inner": canary}}
    yield "POST", "/v1/secrets", {"name": "other", "text": [canary]}
    yield "POST", "/v1/secrets", {"name": "other", "binary": canary}
    yield "POST", "/v1/secrets", {"name": "other", "text": canary, "binary": canary}
    yield "POST", "/v1/secrets", {"name": "other", "text": canary, "token": canary + " !"}
    yield "POST", "/v1/secrets", {"name": "other", "text": canary, "key_id": canary}
    yield "PUT", "/v1/secrets/app:value", {"text": canary, "stages": [canary + "\0"]}
    yield "PUT", "/v1/secrets/none:value", {"text": canary}
    yield "PUT", "/v1/secrets/app:value", canary
    yield "PATCH", "/v1/secrets/app", {"text": canary, "token": "used"}
    yield "POST", "/v1/secrets/app:rotate", {"rotator": "random", "settings": {"length": canary}}
    yield "POST", "/v1/secrets/app:rotate", {"rotator": canary + "?"}
    yield (
        "POST",
        "/v1/policies",
        {"policy": "p", "document": document({"effect": canary, "action": ["*"], "resource": ["*"]})},
    )
    yield "POST", "/v1/policies", {
        "policy": "p", "document": document({"effect": "Allow", "action": [canary], "resource": ["*"]}),
    }  # fmt: skip
    yield "GET", f"/v1/{canary}", None
    yield "GET", f"/v1/secrets/app:{canary}", None
    yield "GET", f"/v1/secrets?limit={canary}", None
    yield "GET", f"/v1/secrets?{canary}=1", None
    yield "GET", f"/v1/events?next_token={canary}", None
    yield canary.upper().replace("-", ""), "/v1/secrets", None


def raw(canary: str):
    """Bytes that are no request, or half of one."""
    json_of_sixty = "Content-Type: application/json\r\nContent-Length: 60\r\n\r\n"
    yield f'POST /v1/secrets HTTP/1.1\r\nHost: x\r\n{json_of_sixty}{{"text": "{canary}'
    yield f"{canary} {canary} {canary}\r\n\r\n"
    yield f"GET /v1/secrets HTTP/1.1\r\nHost: x\r\n{canary}\r\n\r\n"
    yield f"GET /v1/secrets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {canary}\r\n\r\n"
    yield f"GET /v1/secrets HTTP/9.9{canary}\r\n\r\n"
    yield f"PUT /v1/secrets/app:value HTTP/1.1\r\nHost: x\r\nContent-Type: a/{canary}\r\nContent-Length: 2\r\n\r\n{{}}"
    yield f"POST /v1/secrets HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{canary}\r\n"


@pytest.fixture
def day(passable_path):
    """A daemon that keeps no data key, and canaries that know every value of the day, junk included."""
    with contextlib.ExitStack() as stack:
        daemon = Daemon(passable_path / "state", settings={"cache": {"data_key_seconds": 0}})
        stack.callback(daemon.stop)
        daemon.start()
        canaries = Canaries()
        canaries.started(daemon.state_dir, daemon.log, daemon.token)
        planted = [f"canary-{secrets.token_hex(12)}" for _ in range(3)]
        data = base64.b64encode(secrets.token_bytes(40)).decode()
        for text in planted:
            canaries.spoke(daemon.state_dir, {"text": text, "binary": data}, 200, {})

        def call(method, path, body=None):
            answer = daemon.call(method, path, body)
            canaries.spoke(daemon.state_dir, None, answer.status, answer.body)
            return answer

        call("POST", "/v1/secrets", {"name": "app", "text": planted[0], "token": "used"})
        call("POST", "/v1/secrets", {"name": "bin", "binary": data})
        yield daemon, canaries, planted, call


def searched(daemon, canaries):
    """Ends the daemon as a crash would, and searches what it left."""
    canaries.running(daemon.state_dir, [daemon.pid, *(pid for role in ROLES for pid in daemon.children(role))])
    daemon.kill()
    canaries.ended(daemon.state_dir)
    assert canaries.found == []
    assert canaries.searched_bytes > 200_000
    assert canaries.values_looked_for >= 5


def test_values_where_none_belongs_are_refused_and_kept_nowhere(day):
    daemon, canaries, planted, call = day
    for method, path, body in junk(planted[1]):
        answer = call(method, path, body)
        assert answer.status >= 400, (method, path, body, answer)
    searched(daemon, canaries)


def test_half_requests_and_no_requests_leave_nothing(day):
    daemon, canaries, planted, _ = day
    for text in raw(planted[1]):
        with socket.socket(socket.AF_UNIX) as connection, contextlib.suppress(ConnectionError):
            connection.settimeout(30)
            connection.connect(daemon.socket)
            connection.sendall(text.encode())
            connection.shutdown(socket.SHUT_WR)
            answered = b""
            while part := connection.recv(65536):
                answered += part
            assert planted[1].encode() not in answered
            assert answered.startswith(b"HTTP/1.1 4")
    searched(daemon, canaries)


def test_what_crashes_and_hangs_leaves_nothing(day):
    daemon, canaries, planted, call = day
    call("POST", secret_path("app", "rotate"), {"rotator": "random", "schedule": {"every_seconds": 1}})
    (keystore,), (worker,) = daemon.children("keystore"), daemon.children("worker")
    os.kill(keystore, signal.SIGSTOP)
    call("GET", secret_path("app", "value"))
    with contextlib.suppress(ProcessLookupError):  # the supervisor may have been faster
        os.kill(keystore, signal.SIGKILL)
    call("PUT", secret_path("app", "value"), {"text": planted[2]})
    _back(daemon)
    os.kill(worker, signal.SIGKILL)
    _back(daemon)
    call("PUT", secret_path("app", "value"), {"text": planted[2]})
    searched(daemon, canaries)
    daemon.start()
    canaries.started(daemon.state_dir, daemon.log, daemon.token)
    assert call("GET", secret_path("bin", "value")).status == 200
    searched(daemon, canaries)


def _back(daemon):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, ValueError):
            if daemon.call("GET", secret_path("bin", "value")).status == 200:
                return
        time.sleep(0.05)
    raise AssertionError("the daemon did not come back")
