"""Bad input, request by request: a clear error, no echo, nothing changed, one event, and the daemon goes on."""

from collections.abc import Iterator

import pytest

from secretsd.testing.daemon import Daemon
from tests.acceptance.bad_requests import AUTH, CASES, MARK, NOT_HTTP, request
from tests.acceptance.wire import Received, Wire, daemon_in_passable_place, events_of, stored

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with daemon_in_passable_place(workers=2, limits={"header_seconds": 2, "body_seconds": 2}) as daemon:
        assert daemon.call("POST", "/v1/secrets", {"name": "there", "text": "kept"}).status == 200
        yield daemon


@pytest.mark.parametrize("tcp", [False, True], ids=["unix", "tcp"])
@pytest.mark.parametrize("case", CASES)
def test_bad_request(daemon: Daemon, case: str, tcp: bool) -> None:
    sent, status, word = CASES[case]
    before = stored(daemon)
    proof = f"Authorization: Bearer {daemon.token}\r\n".encode() if tcp and case not in NOT_HTTP else b""
    with Wire(daemon, tcp=tcp) as wire:
        wire.send(sent.replace(AUTH, proof))
        answer = wire.receive()
        if case in NOT_HTTP:
            assert wire.ends(), "what stands behind a request that is not HTTP must not be taken for the next one"
    check(daemon, answer, status, word)
    (event,) = events_of(daemon, answer.request_id)
    # What is no HTTP carries no proof; only the kernel's word about the peer of a Unix socket is independent of it.
    nobody = tcp and (case in NOT_HTTP or "not HTTP/1.1" in answer.problem["detail"])
    assert (event["accounts"][0] == "system") is nobody
    assert ("principal" in event) is not nobody
    assert event["outcome"] == answer.problem["kind"]
    assert MARK not in str(event)
    assert stored(daemon) == before
    assert daemon.call("GET", "/v1/secrets/there:value").body["text"] == "kept"


def check(daemon: Daemon, answer: Received, status: int, word: str) -> None:
    assert (answer.status, answer.problem["title"] != "") == (status, True), answer.body
    assert word in answer.problem["detail"]
    assert MARK.encode() not in answer.raw
    log = daemon.log.read_text()
    assert MARK not in log
    assert "ERROR" not in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    "proof",
    ["", "Bearer", f"Bearer {MARK}", f"Basic {MARK}", f"Bearer secretsd_{MARK * 9}", "Bearer \udcff\udcfe", f"{MARK}"],
)
def test_nobody_is_let_in(daemon: Daemon, proof: str) -> None:
    sent = request("/v1/secrets/there:value", f"Authorization: {proof}").replace(AUTH, b"")
    for tcp in (False, True):
        with Wire(daemon, tcp=tcp) as wire:
            wire.send(sent)
            answer = wire.receive()
        check(daemon, answer, 401, "who is calling")
        (event,) = events_of(daemon, answer.request_id)
        assert event["accounts"] == ["system"]
        assert event["operation"] == "GetSecretValue"


def test_without_a_proof_tcp_proves_nobody(daemon: Daemon) -> None:
    with Wire(daemon) as wire:
        wire.send(request("/v1/secrets/there:value").replace(AUTH, b""))
        answer = wire.receive()
    check(daemon, answer, 401, "who is calling")
    assert answer.headers["www-authenticate"] == 'Bearer realm="secretsd", Basic realm="secretsd", charset="UTF-8"'


def test_405_says_what_is_allowed(daemon: Daemon) -> None:
    with Wire(daemon, tcp=False) as wire:
        for path, allowed in (
            ("/v1/secrets", "GET, POST"),
            ("/v1/secrets/a:value", "GET, PUT"),
            ("/metrics", "GET, HEAD"),
        ):
            wire.send(request(path, method="TRACE").replace(AUTH, b""))
            assert wire.receive().headers["allow"] == allowed


def test_head_has_no_body(daemon: Daemon) -> None:
    """Or it would be taken for the next answer: the connection goes on after each."""
    with Wire(daemon, tcp=False) as wire:
        for path, status in (("/v1/health", 200), ("/v1/secrets", 405), ("/nowhere", 404)):
            wire.send(request(path, method="HEAD").replace(AUTH, b""))
            assert wire.receive(head_only=True).status == status
        wire.send(request("/v1/secrets/there:value").replace(AUTH, b""))
        assert wire.receive().status == 200


def test_escapes_mean_what_they_stand_for(daemon: Daemon) -> None:
    """`%2F` is a slash and `%61` an a, once: the name is one and the same, so a rule about it holds however written."""
    assert daemon.call("POST", "/v1/secrets", {"name": "a/b", "text": "one"}).status == 200
    with Wire(daemon, tcp=False) as wire:
        for path in ("/v1/secrets/a/b:value", "/v1/secrets/a%2Fb:value", "/v1/secrets/%61%2f%62:value"):
            wire.send(request(path).replace(AUTH, b""))
            answer = wire.receive()
            assert answer.status == 200
            (event,) = events_of(daemon, answer.request_id)
            assert event["resource"].endswith(":secret/a/b")
