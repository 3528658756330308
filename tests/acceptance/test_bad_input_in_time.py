"""Bad input in time and number: halves, drips, crowds, pipelines, peers that hang up or never read."""

import contextlib
import http.client
import json
import resource
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from secretsd.testing.daemon import Daemon
from tests.acceptance.wire import Wire, daemon_in_passable_place, events_of, resident_kib, stored, wait_for

pytestmark = pytest.mark.acceptance
HEADER_SECONDS, BODY_SECONDS = 1.0, 1.5
WHOLE = b"GET /v1/secrets/there:value HTTP/1.1\r\nHost: a\r\n\r\n"
HALF = b"GET /v1/secrets/there:value HTTP/1.1\r\nHos"
CREATE = b"POST /v1/secrets HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
CROWD = 1500


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    limits = {"header_seconds": HEADER_SECONDS, "body_seconds": BODY_SECONDS}
    with daemon_in_passable_place(workers=2, limits=limits) as daemon:
        assert daemon.call("POST", "/v1/secrets", {"name": "there", "text": "kept"}).status == 200
        yield daemon


@pytest.fixture(autouse=True)
def _nothing_changes_and_it_still_serves(daemon: Daemon) -> Iterator[None]:
    before = stored(daemon)
    yield
    assert stored(daemon) == before
    log = daemon.log.read_text()
    assert "ERROR" not in log
    assert "Traceback" not in log
    for tcp in (False, True):
        assert daemon.call("GET", "/v1/secrets/there:value", tcp=tcp).body["text"] == "kept"


def unrecognised(daemon: Daemon) -> int:
    """How many requests were recorded in which no operation could be recognised."""
    found = {"operation": "Unrecognised"}
    return len(daemon.events(**found)) + len(daemon.events(account="system", **found))


@pytest.mark.parametrize("tcp", [False, True], ids=["unix", "tcp"])
@pytest.mark.parametrize(
    "sent",
    [HALF, b"GET", HALF + b"t: a\r\n", WHOLE[:-2], b"\r\n\r\nGE", WHOLE + HALF, WHOLE + WHOLE + b"G"],
    ids=[
        "in a header",
        "in the method",
        "after a header",
        "one line short",
        "after empty lines",
        "the second",
        "the third",
    ],
)
def test_half_a_head(daemon: Daemon, sent: bytes, tcp: bool) -> None:
    """Is refused after the header deadline, also when it came behind whole requests."""
    with Wire(daemon, tcp=tcp) as wire:
        started = time.monotonic()
        wire.send(sent)
        for _ in range(sent.count(WHOLE)):
            assert wire.receive().status in (200, 401)
        answer = wire.receive()
        assert time.monotonic() - started > HEADER_SECONDS * 0.9
        assert answer.status == 408
        assert answer.problem["kind"] == "invalid-request"
        assert wire.ends()
    assert len(events_of(daemon, answer.request_id)) == 1


def test_a_head_drop_by_drop(daemon: Daemon) -> None:
    """Each drop comes in time, the head does not."""
    with Wire(daemon) as wire:
        stop = time.monotonic() + 10 * HEADER_SECONDS
        wire.socket.settimeout(0.05)
        for drop in WHOLE * 100:
            wire.send(bytes([drop]))
            with contextlib.suppress(TimeoutError):
                answer = wire.receive()
                break
            assert time.monotonic() < stop
        assert answer.status == 408
    assert len(events_of(daemon, answer.request_id)) == 1


def test_a_head_without_end(daemon: Daemon) -> None:
    """Many short headers, none of them too long, in pieces: refused before they add up."""
    with Wire(daemon) as wire:
        wire.send(WHOLE[:-2])
        for number in range(60):
            wire.send(b"X-%d: %s\r\n" % (number, b"a" * 1000))
            time.sleep(0.002)
        answer = wire.receive()
    assert answer.status == 431
    assert "head" in answer.problem["detail"]
    assert len(events_of(daemon, answer.request_id)) == 1


@pytest.mark.parametrize("framing", [b"Content-Length: 50\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"])
def test_half_a_body(daemon: Daemon, framing: bytes) -> None:
    for tcp in (False, True):
        with Wire(daemon, tcp=tcp) as wire:
            wire.send(CREATE + framing)
            answer = wire.receive()
            assert answer.status == 408
            assert "body" in answer.problem["detail"]
            assert wire.ends()
        assert len(events_of(daemon, answer.request_id)) == 1


@pytest.mark.parametrize(
    "sent", [HALF, CREATE + b"Content-Length: 50\r\n\r\n{", CREATE + b"Transfer-Encoding: chunked\r\n\r\n5"]
)
@pytest.mark.parametrize("tcp", [False, True], ids=["unix", "tcp"])
@pytest.mark.parametrize("how", ["half closed", "closed", "reset"])
def test_a_peer_that_goes_in_the_middle(daemon: Daemon, sent: bytes, tcp: bool, how: str) -> None:
    """Leaves one event, at once and not only after a deadline; one that can still read gets its answer."""
    before = unrecognised(daemon)
    with Wire(daemon, tcp=tcp) as wire:
        wire.send(sent)
        time.sleep(0.05)  # so that a reset finds it read
        if how == "half closed":
            wire.socket.shutdown(socket.SHUT_WR)
            answer = wire.receive()
            assert answer.status == 400
            assert "broke off" in answer.problem["detail"]
            assert wire.ends()
        elif how == "reset":
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    wait_for("the event", lambda: unrecognised(daemon) > before)
    assert unrecognised(daemon) == before + 1


def test_a_peer_that_says_its_last_word_and_listens(daemon: Daemon) -> None:
    """Whole requests before the end of the stream are all answered, in order."""
    for tcp in (False, True):
        with Wire(daemon, tcp=tcp) as wire:
            wire.send(WHOLE * 3)
            wire.socket.shutdown(socket.SHUT_WR)
            answers = [wire.receive() for _ in range(3)]
            assert [answer.status for answer in answers] == [401 if tcp else 200] * 3
            assert wire.ends()


def test_a_peer_that_hangs_up_before_reading(daemon: Daemon) -> None:
    """Its call was made, so its event is there."""
    before = len(daemon.events(operation="GetSecretValue"))
    for tcp in (False, True):
        with Wire(daemon, tcp=tcp) as wire:
            wire.send(WHOLE.replace(b"Host", b"Authorization: Bearer %s\r\nHost" % daemon.token.encode()))
    wait_for("two events", lambda: len(daemon.events(operation="GetSecretValue")) >= before + 2)
    assert len(daemon.events(operation="GetSecretValue")) == before + 2


def test_pipelined_requests_are_answered_in_order(daemon: Daemon) -> None:
    targets = ["/v1/secrets/there:value", "/v1/caller-identity", "/v1/secrets/away:value", "/v1/secrets?limit=1"] * 50
    with Wire(daemon, tcp=False) as wire:
        data = b"".join(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode() for target in targets)
        for start in range(0, len(data), 997):  # in pieces that end anywhere
            wire.send(data[start : start + 997])
        answers = [wire.receive() for _ in targets]
        wire.send(WHOLE)
        assert wire.receive().status == 200, "the connection goes on"
    assert [answer.status for answer in answers] == [200, 200, 404, 200] * 50
    for kind in range(4):
        body = json.loads(answers[kind].body)
        assert ("text" in body, "principal" in body, "kind" in body, "secrets" in body)[kind]
    ids = [answer.request_id for answer in answers]
    assert len(set(ids)) == len(ids)
    recorded = [event["id"] for event in daemon.events() if event["id"] in set(ids)]
    assert sorted(recorded) == sorted(ids)


def test_nothing_behind_a_refused_request_is_taken_for_one(daemon: Daemon) -> None:
    """The shape of request smuggling: what follows a request whose end is in doubt."""
    inner = b"DELETE /v1/secrets/there?force=true HTTP/1.1\r\nHost: a\r\n\r\n"
    for sent in (
        CREATE + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
        CREATE + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n" + inner,
        CREATE + b"Content-Length: 99999999\r\n\r\n" + inner,
        CREATE + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + inner,
        CREATE + b"Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n" + inner,
        b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n" + inner,
    ):
        with Wire(daemon, tcp=False) as wire:
            wire.send(sent)
            answer = wire.receive()
            assert answer.status in (400, 413)
            assert wire.ends()


def test_expect_100_continue(daemon: Daemon) -> None:
    """A body that we take is asked for, one that we do not is refused before it is sent."""
    body = b'{"name": "no//name"}'
    with Wire(daemon, tcp=False) as wire:
        wire.send(CREATE + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert wire.receive().status == 100
        wire.send(body)
        assert wire.receive().status == 400
    with Wire(daemon, tcp=False) as wire:
        wire.send(CREATE + b"Expect: 100-continue\r\nContent-Length: 9999999\r\n\r\n")
        assert wire.receive().status == 413


def test_a_refusal_reaches_a_peer_that_is_still_sending(daemon: Daemon) -> None:
    """Closing at once would reset the connection, and the peer would never see why."""
    for tcp in (False, True):
        with Wire(daemon, tcp=tcp) as wire:
            wire.send(CREATE + b"Content-Length: 4000000\r\n\r\n" + b"x" * 4_000_000)
            assert wire.receive().status == 413


def test_a_crowd_of_idle_connections(daemon: Daemon) -> None:
    """Costs little memory, and others are served meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4 * CROWD), hard))
    before = resident_kib(daemon)
    with contextlib.ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for number in range(CROWD):
            stack.enter_context(Wire(daemon, tcp=bool(number % 2)))
        assert daemon.call("GET", "/v1/secrets/there:value").status == 200
        assert daemon.call("GET", "/v1/secrets/there:value", tcp=True).status == 200
        assert resident_kib(daemon) - before < CROWD * 60
    wait_for("connections to be let go of", lambda: open_connections(daemon) < 50)


def test_a_crowd_of_large_halves(daemon: Daemon) -> None:
    """Hundreds of bodies that are nearly complete: memory is bounded, and everyone gets one answer."""
    before = resident_kib(daemon)
    head = CREATE + b"Content-Length: 500000\r\n\r\n"
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(daemon)) for _ in range(400)]
        most = 0
        for wire in wires:
            wire.send(head + b"x" * 499_000)
            most = max(most, resident_kib(daemon))
        answers = [wire.receive() for wire in wires]
    assert {answer.status for answer in answers} <= {408, 429}
    assert most - before < 200_000, "400 bodies of 500 kB were held at once"
    assert len({answer.request_id for answer in answers}) == len(answers)


def test_a_peer_that_never_reads(daemon: Daemon) -> None:
    """Is not read from any more once its answers pile up; others are served meanwhile."""
    before = resident_kib(daemon)
    with Wire(daemon, tcp=False) as wire:
        wire.socket.settimeout(0.5)
        sent = 0
        with contextlib.suppress(TimeoutError):
            for _ in range(2000):
                wire.socket.sendall(b"GET /v1/openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 20)
                sent += 20
        assert sent < 40_000, "the daemon went on reading"
        assert daemon.call("GET", "/v1/secrets/there:value").status == 200
        assert resident_kib(daemon) - before < 60_000


def test_many_clients_send_junk_at_once(daemon: Daemon) -> None:
    failures: list[str] = []

    def client(tcp: bool) -> None:
        for _ in range(30):
            with Wire(daemon, tcp=tcp) as wire:
                wire.send(b"\x00\xff junk " * 500)
                if wire.receive().status != 400:
                    failures.append("another answer")

    threads = [threading.Thread(target=client, args=(bool(number % 2),)) for number in range(8)]
    before = unrecognised(daemon)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert unrecognised(daemon) == before + 8 * 30


def open_connections(daemon: Daemon) -> float:
    """What the worker that happens to answer says of itself."""
    connection: http.client.HTTPConnection = daemon.connect()
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith("secretsd_open_connections ")))
