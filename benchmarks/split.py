"""Where the time of a read goes: the parts of GetSecretValue timed one by one in one process, in CPU time."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import msgspec
import uvloop

from benchmarks.figures import Figure, median
from benchmarks.in_process import TOKEN, Worker, worker
from benchmarks.options import Options
from secretsd.api.fields import TextValue, show_value
from secretsd.api.values import GetSecretValueResponse
from secretsd.dialects.native.dialect import Incoming
from secretsd.dialects.native.requests import Reader
from secretsd.dialects.native.routes import Routes
from secretsd.domain.audit import AuditEvent
from secretsd.domain.names import Resource
from secretsd.domain.sensitive import Plaintext
from secretsd.operations import events
from secretsd.operations.authenticator import Authenticator, Caller
from secretsd.operations.catalogue import catalogue
from secretsd.operations.ids import new_request_id
from secretsd.operations.request_facts import SCHEDULED, RequestFacts

CONCURRENT = 16
NAME = "bench/app"
PATH = f"/v1/secrets/{NAME}:value"


def run(options: Options) -> list[Figure]:
    """Each part alone, then a whole call without HTTP, by sixteen callers at once as the transport would."""
    repeats = 300 if options.quick else 20_000
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(_measure(options, repeats))
    return [Figure(f"split: {name}", f"{microseconds:.1f} µs") for name, microseconds in found]


async def _measure(options: Options, repeats: int) -> list[tuple[str, float]]:
    async with worker(options.directory / "split") as parts:
        await _create(parts)
        caller = Caller("unix:pid/1", 0, Plaintext.from_text(TOKEN))
        incoming = Incoming("GET", PATH, "", "", b"", caller)

        async def answer() -> None:
            reply = await parts.dialect.answer(incoming)
            if reply.status != 200:
                raise RuntimeError(f"cannot measure a read: it was answered {reply.status}")

        await answer()
        singles = await _parts(parts, caller, repeats)
        return [*singles, ("a whole read without HTTP", await _together(answer, repeats))]


async def _create(parts: Worker) -> None:
    body = b'{"name":"%s","text":"%s"}' % (NAME.encode(), b"v" * 64)
    caller = Caller("unix:pid/1", 0, Plaintext.from_text(TOKEN))
    made = await parts.dialect.answer(Incoming("POST", "/v1/secrets", "", "application/json", body, caller))
    if made.status != 200:
        raise RuntimeError(f"cannot measure a read: making the secret was answered {made.status}")


async def _parts(parts: Worker, caller: Caller, repeats: int) -> list[tuple[str, float]]:
    operations = catalogue()
    routes, reader = Routes(operations.values()), Reader(operations["GetSecretValue"])
    found = parts.parts
    rows = found.rows
    authenticator = Authenticator(rows, found.jwt_proofs, found.access_key_proofs, found.tls_proofs)
    principal = await authenticator.principal(caller, 0)
    resource = Resource(parts.account, f"secret/{NAME}")
    secret = await rows.secret(parts.account, NAME)
    version = await rows.version(secret, secret.stages["current"])
    sealed = await rows.value(secret, version.id)
    key = await rows.key_version(parts.account, version.key_id, version.key_version)
    response = GetSecretValueResponse(
        name=NAME,
        version_id=version.id,
        number=1,
        stages=("current",),
        created_ms=version.created_ms,
        text=TextValue(b"v" * 64),
    )
    encode = msgspec.json.Encoder(enc_hook=show_value).encode

    def event() -> AuditEvent:
        now_ms = time.time_ns() // 1_000_000
        accounts, identity = (parts.account,), new_request_id(now_ms)
        return AuditEvent(
            identity, now_ms, accounts, str(principal.resource), principal.proof, caller.source, "GetSecretValue",
            str(resource), "ok",
        )  # fmt: skip

    async def record() -> None:
        await parts.parts.storage.audit.record(events.record(event()))

    async def looked() -> None:
        parts.parts.storage.refresh()
        await asyncio.sleep(0)

    async def rows_read() -> None:
        found = await rows.secret(parts.account, NAME)
        await rows.version(found, version.id)
        await rows.key(parts.account, version.key_id)
        await rows.account(parts.account)
        await rows.value(found, version.id)
        await rows.key_version(parts.account, version.key_id, version.key_version)

    require = parts.parts.authorizer.require
    facts = RequestFacts(principal, SCHEDULED, None, 0)
    return [
        ("route", _repeat(lambda: routes.match("GET", PATH), repeats)),
        ("read the request", _repeat(lambda: reader.read(NAME, "", b"", ""), repeats)),
        ("authenticate by token", await _one_by_one(lambda: authenticator.principal(caller, 0), repeats)),
        ("authorise", await _one_by_one(lambda: require(principal, "GetSecretValue", resource, facts), repeats)),
        ("six rows from the cache", await _one_by_one(rows_read, repeats)),
        ("open the value", await _one_by_one(lambda: parts.parts.sealer.open(key, sealed, ""), repeats)),
        ("encode the answer", _repeat(lambda: encode(response), repeats)),
        ("make the event and its bytes", _repeat(lambda: events.record(event()), repeats)),
        ("make and commit it, 16 at once", await _together(record, repeats)),
        ("look at the feed once a turn (with the turn)", await _one_by_one(looked, repeats)),
    ]


def _repeat(part: Callable[[], object], repeats: int) -> float:
    def once() -> float:
        began = time.process_time()
        for _ in range(repeats):
            part()
        return (time.process_time() - began) / repeats * 1e6

    return median([once() for _ in range(3)])


async def _one_by_one(part: Callable[[], Awaitable[object]], repeats: int) -> float:
    found = []
    for _ in range(3):
        began = time.process_time()
        for _ in range(repeats):
            await part()
        found.append((time.process_time() - began) / repeats * 1e6)
    return median(found)


async def _together(part: Callable[[], Awaitable[object]], repeats: int) -> float:
    """The part by CONCURRENT callers at once, each in a task of its own as connections are."""

    async def caller() -> None:
        for _ in range(repeats // CONCURRENT):
            await part()

    found = []
    for _ in range(3):
        began = time.process_time()
        await asyncio.gather(*(caller() for _ in range(CONCURRENT)))
        found.append((time.process_time() - began) / (repeats // CONCURRENT * CONCURRENT) * 1e6)
    return median(found)
