"""Whatever bytes come: each request gets at most one answer, every answer is ours, and nothing is echoed."""

import asyncio
import contextlib
import json
import logging
import re
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from aiohttp.web_server import Server
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from secretsd.dialects.native.dialect import Incoming, Reply
from secretsd.dialects.native.errors import problem
from secretsd.dialects.native.requests import Reader
from secretsd.dialects.native.routes import Match, Routes
from secretsd.domain.errors import SecretsdError
from secretsd.operations.authenticator import Caller
from secretsd.operations.catalogue import catalogue
from secretsd.transport.connection import Connection
from secretsd.transport.limits import BodyRoom, Limits
from secretsd.transport.peer import Peer

OPERATIONS = catalogue()
ROUTES = Routes(OPERATIONS.values())
READERS = {name: Reader(operation) for name, operation in OPERATIONS.items() if operation.route is not None}
LIMITS = Limits(header_seconds=5, body_seconds=5, linger_seconds=0.05)
MARK = b"Zq7Xe"


class RoutingDialect:
    """Routes and reads as the native dialect does, and runs nothing."""

    def __init__(self) -> None:
        self.answered = 0

    async def answer(self, incoming: Incoming) -> Reply:
        self.answered += 1
        try:
            match = ROUTES.match(incoming.method, incoming.path)
            READERS[match.operation.name].read(match.name, incoming.query, incoming.body, incoming.content_type)
        except SecretsdError as error:
            return self._problem(error, None)
        return Reply(200, "application/json", b"{}", "id")

    async def refuse(self, caller: Caller, error: SecretsdError, status: int | None = None) -> Reply:
        self.answered += 1
        return self._problem(error, status)

    def _problem(self, error: SecretsdError, status: int | None) -> Reply:
        code, body, headers = problem(error, "id", status)
        return Reply(code, "application/problem+json", body, "id", headers)


async def exchange(pieces: list[bytes]) -> tuple[bytes, int]:
    """What comes back when the pieces are sent one by one and then the end; and how many answers were made."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    dialect, room = RoutingDialect(), BodyRoom(LIMITS.max_bodies_bytes)

    async def never(_: object) -> Any:
        raise AssertionError("a connection answers by its dialect")

    manager = Server(never)
    await loop.connect_accepted_socket(
        lambda: Connection(manager, loop, dialect, Peer("unix:pid/1", 0, False), LIMITS, room), ours
    )
    received = b""
    async with asyncio.timeout(20):
        for piece in pieces:
            try:
                await loop.sock_sendall(theirs, piece)
            except ConnectionError:
                break
            await asyncio.sleep(0)
        with contextlib.suppress(OSError):
            theirs.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while data := await loop.sock_recv(theirs, 65536):
                received += data
        theirs.close()
        while manager.connections:  # noqa: ASYNC110  # aiohttp's list of them has no event of its own
            await asyncio.sleep(0)
    assert room.held == 0
    return received, dialect.answered


def answers(received: bytes) -> list[int]:
    """The statuses of the answers, after taking them apart to the last byte."""
    found = []
    while received:
        head, separator, rest = received.partition(b"\r\n\r\n")
        assert separator, "an answer is cut"
        status = re.match(rb"HTTP/1\.1 (\d{3}) [A-Za-z ]+\r\n", head + b"\r\n")
        assert status, head
        if status[1] == b"100":
            received = rest
            continue
        size = int(re.search(rb"\r\nContent-Length: (\d+)", head)[1])  # type: ignore[index]  # every answer has one
        received = rest[size:]
        found.append(int(status[1]))
    return found


TARGETS = st.one_of(
    st.sampled_from([b"/v1/secrets", b"/v1/secrets/Zq7Xe:value", b"/v1/%2f%00", b"*", b"http://Zq7Xe/", b"/metrics"]),
    st.binary(max_size=40).map(lambda data: b"/v1/secrets/" + data + MARK),
)
METHODS = st.sampled_from([b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"CONNECT", b"PRI", MARK, b""])
HEADERS = st.one_of(
    st.sampled_from(
        [b"Host: Zq7Xe", b"Content-Length: 5", b"Content-Length: -1", b"Content-Length: 99999999",
         b"Expect: 100-continue", b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip",
         b"Connection: close", b"Upgrade: Zq7Xe",
         b"Content-Type: application/json", b"Authorization: Bearer Zq7Xe", b" Zq7Xe", b"Zq7Xe", b"X: \x00Zq7Xe"]
    ),
    st.binary(max_size=30),
)  # fmt: skip
BODIES = st.one_of(
    st.sampled_from([b"", b"{}", b'{"name": "Zq7Xe"}', b"5\r\nZq7Xe\r\n0\r\n\r\n", b"ffffffffffffffffff\r\n"]),
    st.binary(max_size=60),
)
ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"])


@st.composite
def nearly_http(draw: st.DrawFn) -> bytes:
    """A request that is right, or wrong in some of its parts."""
    end = draw(ENDS)
    lines = [draw(METHODS) + b" " + draw(TARGETS) + b" " + draw(st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/3"]))]
    if draw(st.booleans()):
        lines.append(b"Host: a")
    lines += draw(st.lists(HEADERS, max_size=4))
    return end.join(lines) + end + end + draw(BODIES)


def in_pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.one_of(nearly_http(), st.binary(max_size=80)), min_size=1, max_size=4), st.sampled_from([3, 50, 9999])
)
@example([b"GET /v1/secrets HTTP/1.1\r\nHost: a\r\n\r\n"] * 3, 9999)
@example([b"\x16\x03\x01Zq7Xe"], 1)
def test_any_bytes(caplog: pytest.LogCaptureFixture, requests: list[bytes], size: int) -> None:
    caplog.clear()
    with caplog.at_level(logging.DEBUG, "secretsd"):
        received, made = asyncio.run(exchange(in_pieces(b"".join(requests), size)))
    statuses = answers(received)  # none of the methods is HEAD, so every answer has its body
    assert len(statuses) <= made
    assert set(statuses) <= {200, 400, 404, 405, 408, 409, 413, 429, 431}
    assert MARK not in received
    assert MARK.decode() not in caplog.text


def outcome(call: Callable[[], Any]) -> Any:
    """What the call returns, or its error if that is one of ours; any other is the fuzzer's find."""
    try:
        return call()
    except SecretsdError as error:
        return error


def is_request_or_refusal(found: Any, kind: type) -> bool:
    if isinstance(found, SecretsdError):
        return found.message.startswith("cannot ")
    return type(found) is kind


@settings(max_examples=200)
@given(st.sampled_from(sorted(READERS)), st.text(max_size=60), st.binary(max_size=200), st.text(max_size=40))
def test_any_query_and_body(operation: str, query: str, body: bytes, name: str) -> None:
    """Either a request of the operation's own type, or our error."""
    found = outcome(lambda: READERS[operation].read(name, query, body, "application/json"))
    assert is_request_or_refusal(found, OPERATIONS[operation].request)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
FIELDS = {name: OPERATIONS[name].request.__struct_fields__ for name in sorted(READERS)}
WITH_FIELDS = [name for name, fields in FIELDS.items() if fields]


@settings(max_examples=200)
@given(st.data())
def test_any_json_in_any_field(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(WITH_FIELDS))
    body = json.dumps(data.draw(st.dictionaries(st.sampled_from(FIELDS[name]), JSON, max_size=4))).encode()
    found = outcome(lambda: READERS[name].read("a", "", body, "application/json"))
    assert is_request_or_refusal(found, OPERATIONS[name].request)


@settings(max_examples=300)
@given(st.text(max_size=20), st.text(max_size=60))
def test_any_path(method: str, path: str) -> None:
    for candidate in (path, f"/v1/secrets/{path}", f"/v1/{path}:value"):
        assert is_request_or_refusal(outcome(partial(ROUTES.match, method, candidate)), Match)
