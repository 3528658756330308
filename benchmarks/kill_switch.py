"""How long a use goes on that somebody has ended: 64 connections use a key all the time, on two workers.

Ways to end it: DisableKey, a change of the key's policy, RevokeGrant; and DetachPolicy from somebody who changes his
own row all the time, which is the row that has to be changed to stop him. Each time the last use that was allowed is
looked for, and how long after the answer to the change its own answer arrived. That is later than it was decided, so
what is told is an upper bound. How long the change itself took is told as well: who ends something must not wait.
"""

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import uvloop

from benchmarks import ours
from benchmarks.figures import Figure, at_most, percentile
from benchmarks.load import http
from benchmarks.options import Options
from benchmarks.ours import Ours, require
from secretsd.testing.policies import document

CONNECTIONS = 64
WORKERS = 2
BAR_MS = 100.0
TIMES_A_ROUND = 20
"""How often each way is measured in a round: a hundred times by default, so that p99 is the second longest."""
PATIENCE_SECONDS = 30.0
CONFLICT = "conflict"
ADMINISTRATORS = 4
"""Connections that the changes go over in turns, so that both workers make some."""


@dataclass(slots=True)
class Uses:
    """What became of the uses since the last change: when the last one was allowed, and who has heard a refusal."""

    last_allowed: float = 0.0
    allowed: int = 0
    others: set[str] = field(default_factory=set)
    heard: dict[bool, set["Connection"]] = field(default_factory=lambda: {True: set(), False: set()})
    waiting: dict[bool, asyncio.Event] = field(default_factory=lambda: {True: asyncio.Event(), False: asyncio.Event()})

    def note(self, connection: "Connection", allowed: bool) -> None:
        """One use was answered."""
        if allowed:
            self.last_allowed = time.perf_counter()
            self.allowed += 1
        self.heard[allowed].add(connection)
        if len(self.heard[allowed]) == CONNECTIONS:
            self.waiting[allowed].set()

    async def everybody(self, allowed: bool) -> None:
        """Until every connection has been allowed, or refused, since `begin`; TimeoutError."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.waiting[allowed].wait()

    def begin(self) -> None:
        """Forget who has heard what."""
        for allowed in (True, False):
            self.heard[allowed].clear()
            self.waiting[allowed].clear()


class Answers(asyncio.Protocol):
    """A connection on which one request is under way at a time; answers are read by their Content-Length."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Look for a whole answer."""
        self._rest += data
        head, end, body = self._rest.partition(b"\r\n\r\n")
        if not end:
            return
        fields = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
        (length,) = [int(value) for name, _, value in fields if name.lower() == b"content-length"]
        if len(body) >= length:
            self._rest = b""
            self.answered(int(head.split(b" ", 2)[1]), body)

    def answered(self, status: int, body: bytes) -> None:
        """A whole answer is there."""


class Connection(Answers):
    """Uses the key again as soon as it is answered."""

    def __init__(self, request: bytes, uses: Uses) -> None:
        super().__init__()
        self.lost = False
        self._request, self._uses = request, uses

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        super().connection_made(transport)
        cast(asyncio.Transport, transport).write(self._request)

    def answered(self, status: int, body: bytes) -> None:
        """Count it, and ask again."""
        kind = "" if status == 200 else json.loads(body)["kind"]
        if kind:
            self._uses.others.add(kind)
        if kind != CONFLICT:
            self._uses.note(self, status == 200)
        if self.transport is not None:
            self.transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        """None may be lost while it is measured."""
        self.lost = True


class Administrator(Answers):
    """Asks for one change at a time, as root over the Unix socket."""

    _answer: "asyncio.Future[tuple[int, bytes]] | None" = None

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The body of the answer, which has to be good."""
        if self.transport is None:
            raise RuntimeError("cannot ask for a change: there is no connection")
        data = b"" if body is None else json.dumps(body).encode()
        while True:
            self._answer = asyncio.get_running_loop().create_future()
            self.transport.write(http(method, path, [("Content-Type", "application/json")], data))
            status, found = await self._answer
            answered = json.loads(found)
            if status == 200:
                return answered
            if answered["kind"] != CONFLICT:  # after which any client tries again
                raise RuntimeError(f"cannot measure: a change was answered {status}")

    def answered(self, status: int, body: bytes) -> None:
        """Give it to who asks."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((status, body))


Change = Callable[[Administrator], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Way:
    """A request that is sent all the time, a way to end that, and back, and the one refusal that is heard then.

    Where all change one thing, some lose against the other worker every time they try, and hear of a conflict.
    """

    name: str
    use: bytes
    end: Change
    restore: Change
    refusal: str
    conflicts: bool = False


def run(options: Options) -> list[Figure]:
    """A daemon with two workers; each way in turn."""
    with ours.running(options.directory / "ended", workers=WORKERS) as mine:
        key = mine.make_key("AES_256", "ENCRYPT_DECRYPT")
        ways = _disabling(key, mine), _policy(key, mine), _grant(key, mine), _storm(mine)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return [figure for way in ways for figure in runner.run(_measure(options, mine, way))]


async def _measure(options: Options, mine: Ours, way: Way) -> list[Figure]:
    loop, uses = asyncio.get_running_loop(), Uses()
    administrators = [Administrator() for _ in range(ADMINISTRATORS)]
    for administrator in administrators:
        await loop.create_unix_connection(partial(_itself, administrator), mine.daemon.socket)
    await way.restore(administrators[0])
    connections = [Connection(way.use, uses) for _ in range(CONNECTIONS)]
    for connection in connections:
        await loop.create_unix_connection(partial(_itself, connection), mine.daemon.socket)
    took, sent = [], []
    began = time.perf_counter()
    for turn in range(max(2, options.rounds * TIMES_A_ROUND) if not options.quick else 2):
        administrator = administrators[turn % ADMINISTRATORS]
        uses.begin()
        await uses.everybody(allowed=True)
        uses.begin()
        asked = time.perf_counter()
        await way.end(administrator)
        answered = time.perf_counter()
        await uses.everybody(allowed=False)
        took.append(max(0.0, uses.last_allowed - answered) * 1000)
        sent.append((max(uses.last_allowed, answered) - asked) * 1000)
        await way.restore(administrator)
    seconds = time.perf_counter() - began
    refusals = uses.others - {CONFLICT} if way.conflicts else uses.others
    if refusals != {way.refusal} or any(one.lost for one in connections):
        raise RuntimeError(f"cannot measure: uses were refused as {sorted(uses.others)}, or a connection was lost")
    for one in (*connections, *administrators):
        if one.transport is not None:
            one.transport.abort()
    return _figures(way.name, sorted(took), sorted(sent), f"{len(took)}, {uses.allowed / seconds:,.0f} a second")


def _figures(name: str, took: Sequence[float], sent: Sequence[float], what: str) -> list[Figure]:
    p99, whole = percentile(took, 0.99), percentile(sent, 0.99)
    return [
        at_most(f"kill switch, {name}: from its answer to the last allowed use, p99", p99, BAR_MS, " ms"),
        at_most(f"kill switch, {name}: from its sending to the later of the two, p99", whole, BAR_MS, " ms"),
        Figure(f"kill switch, {name}: p50, max", f"{percentile(took, 0.5):.2f} ms, {took[-1]:.2f} ms"),
        Figure(f"kill switch, {name}: changes, and uses meanwhile", what),
    ]


def _use(key: str, token: str) -> bytes:
    body = json.dumps({"plaintext": base64.b64encode(b"x" * 64).decode()}).encode()
    headers = [("Authorization", f"Bearer {token}"), ("Content-Type", "application/json")]
    return http("POST", f"/v1/keys/{key}:encrypt", headers, body)


def _disabling(key: str, mine: Ours) -> Way:
    async def end(administrator: Administrator) -> None:
        await administrator.ask("POST", f"/v1/keys/{key}:disable")

    async def restore(administrator: Administrator) -> None:
        await administrator.ask("POST", f"/v1/keys/{key}:enable")

    return Way("DisableKey", _use(key, mine.token), end, restore, "key-disabled")


def _policy(key: str, mine: Ours) -> Way:
    path = f"/v1/resource-policies/key/{key}"

    async def put(effect: str, administrator: Administrator) -> None:
        statement = {"effect": effect, "action": ["Encrypt"], "principal": ["*"]}
        await administrator.ask("PUT", path, {"document": document(statement)})

    return Way("a policy's change", _use(key, mine.token), partial(put, "Deny"), partial(put, "Allow"), "access-denied")


def _grant(key: str, mine: Ours) -> Way:
    grantee = f"secretsd:{require(mine.daemon.call('GET', '/v1/caller-identity'))['account']}:user/grantee"
    token = _user(mine, "grantee")
    made: list[str] = []

    async def end(administrator: Administrator) -> None:
        await administrator.ask("POST", f"/v1/keys/{key}:revoke-grant", {"grant": made.pop()})

    async def restore(administrator: Administrator) -> None:
        # A policy that allows it to all is left from the way before.
        statement = {"effect": "Allow", "action": ["DescribeKey"], "principal": ["*"]}
        await administrator.ask("PUT", f"/v1/resource-policies/key/{key}", {"document": document(statement)})
        granted = {"grantee": grantee, "operations": ["Encrypt"]}
        made.append((await administrator.ask("POST", f"/v1/keys/{key}:create-grant", granted))["id"])

    return Way("RevokeGrant", _use(key, token), end, restore, "access-denied")


def _storm(mine: Ours) -> Way:
    token = _user(mine, "mallory")
    statement = {"effect": "Allow", "action": ["TagResource"], "resource": ["user/mallory"]}
    require(mine.daemon.call("POST", "/v1/policies", {"policy": "tags", "document": document(statement)}))
    headers = [("Authorization", f"Bearer {token}"), ("Content-Type", "application/json")]
    use = http("POST", "/v1/tags/user%2Fmallory", headers, json.dumps({"tags": {"a": "b"}}).encode())

    async def change(what: str, administrator: Administrator) -> None:
        await administrator.ask("POST", f"/v1/users/mallory:{what}-policy", {"policy": "tags"})

    return Way(
        "DetachPolicy in a storm", use, partial(change, "detach"), partial(change, "attach"), "access-denied", True
    )


def _user(mine: Ours, name: str) -> str:
    """The token of a new user who may do what is granted to him and nothing else."""
    require(mine.daemon.call("POST", "/v1/users", {"user": name}))
    return str(require(mine.daemon.call("POST", f"/v1/users/{name}:create-token", {}))["token"])


def _itself(protocol: asyncio.Protocol) -> asyncio.Protocol:
    return protocol
