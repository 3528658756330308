"""Every request has exactly one event and no event is without a request, under mixed load on both sockets."""

import contextlib
import http.client
import random
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from secretsd.testing.daemon import Daemon, secret_path
from tests.acceptance.wire import Wire, daemon_in_passable_place, wait_for

pytestmark = pytest.mark.acceptance
CLIENTS = 6
CALLS = 200
SEED = 77_001
NAMES = [f"load/{number}" for number in range(6)]


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with daemon_in_passable_place(workers=2, rotation={"min_interval_seconds": 1}) as daemon:
        for name in NAMES:
            assert daemon.call("POST", "/v1/secrets", {"name": name, "text": "first"}).status == 200
        assert daemon.call("POST", "/v1/users", {"user": "reader"}).status == 200
        yield daemon


class Client(threading.Thread):
    """Sends good and bad requests in turn and keeps the request id of every answer, with its status."""

    def __init__(self, daemon: Daemon, number: int, reader: str) -> None:
        super().__init__()
        self._daemon = daemon
        self._tcp = bool(number % 2)
        self._reader = reader
        self._random = random.Random(SEED + number)
        self.answers: list[tuple[str, int]] = []
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            with contextlib.closing(self._daemon.connect(tcp=self._tcp)) as connection:
                for _ in range(CALLS):
                    self._random.choice(
                        (
                            self._read,
                            self._read,
                            self._write,
                            self._denied,
                            self._missing,
                            self._unread,
                            self._malformed,
                        )
                    )(connection)
        except BaseException as failure:  # noqa: BLE001  # told by the test, which would not hear of it otherwise
            self.failure = failure

    def _call(self, connection: http.client.HTTPConnection, *call: Any, token: str | None = None) -> None:
        answer = self._daemon.call(*call, token=token, tcp=self._tcp, connection=connection)
        self.answers.append((answer.request_id, answer.status))

    def _read(self, connection: http.client.HTTPConnection) -> None:
        self._call(connection, "GET", secret_path(self._random.choice(NAMES), "value"))

    def _write(self, connection: http.client.HTTPConnection) -> None:
        value = {"text": str(self._random.random())}
        self._call(connection, "PUT", secret_path(self._random.choice(NAMES), "value"), value)

    def _denied(self, connection: http.client.HTTPConnection) -> None:
        self._call(connection, "GET", secret_path(NAMES[0], "value"), token=self._reader)

    def _missing(self, connection: http.client.HTTPConnection) -> None:
        self._call(connection, "GET", self._random.choice((secret_path("load/none"), "/v1/nowhere", "/nowhere")))

    def _unread(self, connection: http.client.HTTPConnection) -> None:
        self._call(connection, "POST", "/v1/secrets", self._random.choice(({"name": "a//b"}, {"no": 1}, [], 7)))

    def _malformed(self, _: http.client.HTTPConnection) -> None:
        with Wire(self._daemon, tcp=self._tcp) as wire:
            wire.send(
                self._random.choice((b"\x16\x03\x01\n\n", b"GET / HTTP/1.1\r\nX\r\n\r\n", b"GET  HTTP/9\r\n\r\n"))
            )
            answer = wire.receive()
            self.answers.append((answer.request_id, answer.status))


def all_events(daemon: Daemon) -> list[dict[str, Any]]:
    """Of the account and of `system`; those that concern both are in both views, and are taken from the account's."""
    own = daemon.events()
    account = own[0]["accounts"][0] if own[0]["accounts"][0] != "system" else own[0]["accounts"][1]
    return own + [event for event in daemon.events(account="system") if account not in event["accounts"]]


def test_every_request_has_one_event_and_every_event_a_request(daemon: Daemon) -> None:
    print(f"seed {SEED}")
    rule = {"rotator": "random", "schedule": {"every_seconds": 1}}
    assert daemon.call("POST", secret_path(NAMES[1], "rotate"), rule).status == 200
    reader = daemon.call("POST", "/v1/users/reader:create-token", {}).body["token"]
    before = {event["id"] for event in all_events(daemon)}
    clients = [Client(daemon, number, reader) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert [client.failure for client in clients] == [None] * CLIENTS
    answers = [answer for client in clients for answer in client.answers]
    assert len(answers) == CLIENTS * CALLS
    assert {status for _, status in answers} >= {200, 400, 403, 404}
    assert not any(status >= 500 for _, status in answers)

    wait_for(
        "a rotation", lambda: any(event["id"] not in before for event in daemon.events(operation="PromoteRotation"))
    )
    after = [event for event in all_events(daemon) if event["id"] not in before]
    counted = Counter(event["id"] for event in after)
    asked = dict(answers)
    assert len(asked) == len(answers), "a request id was given twice"
    assert [request_id for request_id in asked if counted[request_id] != 1] == []
    unasked = [event for event in after if event["id"] not in asked]
    # What nobody asked for is the rotation role's, by schedule, and our own lookups.
    lookups = [event for event in unasked if event["operation"] == "LookupEvents"]
    scheduled = [event for event in unasked if event["source"] == "schedule"]
    assert len(lookups) + len(scheduled) == len(unasked), unasked
    assert all(event["principal"].endswith(":role/rotation") for event in scheduled)
    for event in after:
        if event["id"] in asked:
            assert (event["outcome"] == "ok") is (asked[event["id"]] == 200)


def test_events_of_nobody_are_the_systems(daemon: Daemon) -> None:
    with Wire(daemon) as wire:
        wire.send(b"junk\r\n\r\n")
        request_id = wire.receive().request_id
    assert daemon.events(request_id=request_id) == []
    (event,) = daemon.events(request_id=request_id, account="system")
    assert event["accounts"] == ["system"]
    assert event["source"].startswith("tcp:127.0.0.1:")


@pytest.mark.parametrize("operation", ["GetSecretValue", "PutSecretValue"])
def test_a_client_that_hangs_up_leaves_its_event(daemon: Daemon, operation: str) -> None:
    body = b'{"text": "unread"}'
    method = b"GET" if operation == "GetSecretValue" else b"PUT"
    before = len(daemon.events(operation=operation))
    for _ in range(20):
        with Wire(daemon, tcp=False) as wire:
            head = b"%s /v1/secrets/load/0:value HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n" % method
            wire.send(head + (b"Content-Length: %d\r\n\r\n%s" % (len(body), body) if method == b"PUT" else b"\r\n"))
    wait_for("20 events", lambda: len(daemon.events(operation=operation)) >= before + 20)
    events = daemon.events(operation=operation)[before:]
    assert len(events) == 20
    assert {event["outcome"] for event in events} <= {"ok", "conflict"}  # 20 at once on one secret may collide


def test_documents_leave_no_event(daemon: Daemon) -> None:
    """Health, metrics and OpenAPI are no operations; whoever asks for them a thousand times fills no trail."""
    before = {event["id"] for event in all_events(daemon)}
    for path in ("/v1/health", "/metrics", "/v1/openapi.json"):
        assert daemon.call("GET", path).status == 200
    later = [event for event in all_events(daemon) if event["id"] not in before and event["source"] != "schedule"]
    assert {event["operation"] for event in later} <= {"LookupEvents"}
