"""The dialect between transport and pipeline: what runs, what is refused, what is a document, and how it is said."""

import json
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from secretsd.api.fields import BinaryValue, Request, TextValue
from secretsd.api.values import GetSecretValueResponse
from secretsd.dialects.native.dialect import Incoming, NativeDialect
from secretsd.dialects.native.openapi import document, text
from secretsd.dialects.native.pages import health_page, metrics_page
from secretsd.domain.errors import SecretsdError, StorageUnavailable
from secretsd.domain.rotation import RotationState
from secretsd.operations.authenticator import Caller
from secretsd.operations.catalogue import catalogue
from secretsd.operations.pipeline import Answer
from secretsd.operations.read_barrier import HeldReads
from secretsd.operations.registry import Operation
from secretsd.ports.keystore import KeyStoreStatus

CALLER = Caller("unix:pid/1", 0)


class MemoryPipeline:
    """Records what it is asked; answers with a value, or with the error that reading the request raised."""

    def __init__(self) -> None:
        self.counts = {("GetSecretValue", "ok"): 3}
        self.parts = SimpleNamespace(barrier=SimpleNamespace(held=HeldReads()))
        self.ran: list[tuple[str, Request]] = []
        self.refused: list[SecretsdError] = []
        self.value: TextValue | BinaryValue = TextValue.from_text("opened")
        self.unrecorded: SecretsdError | None = None

    async def run(self, operation: Operation, read: Callable[[], Request], caller: Caller) -> Answer:
        try:
            self.ran.append((operation.name, read()))
        except SecretsdError as error:
            return Answer("id", error=error)
        text, binary = (self.value, None) if isinstance(self.value, TextValue) else (None, self.value)
        found = GetSecretValueResponse(
            name="a", version_id="v", number=1, stages=("current",), created_ms=1, text=text, binary=binary
        )
        return Answer("id", found)

    async def refuse(self, caller: Caller, error: SecretsdError, fields: Mapping[str, str]) -> Answer:
        self.refused.append(error)
        return Answer("id", error=self.unrecorded or error)


@pytest.fixture
def pipeline() -> MemoryPipeline:
    return MemoryPipeline()


@pytest.fixture
def dialect(pipeline: MemoryPipeline) -> NativeDialect:
    pages = {"/v1/health": lambda: (200, "application/json", b"{}")}
    return NativeDialect(pipeline, catalogue(), pages)  # type: ignore[arg-type]  # as much of a pipeline as it needs


def asked(method: str, path: str, query: str = "", body: bytes = b"") -> Incoming:
    return Incoming(method, path, query, "application/json", body, CALLER)


async def test_a_call(dialect: NativeDialect, pipeline: MemoryPipeline) -> None:
    reply = await dialect.answer(asked("GET", "/v1/secrets/a%2Fb:value", "stage=previous"))
    assert (reply.status, reply.reason, reply.request_id) == (200, "OK", "id")
    assert json.loads(reply.body)["text"] == "opened"
    ((name, request),) = pipeline.ran
    assert (name, request.resource_path) == ("GetSecretValue", "secret/a/b")


async def test_bytes_are_shown_as_base64(dialect: NativeDialect, pipeline: MemoryPipeline) -> None:
    pipeline.value = BinaryValue(b"\x00\xff")
    reply = await dialect.answer(asked("GET", "/v1/secrets/a:value"))
    shown = json.loads(reply.body)
    assert shown["binary"] == "AP8="
    assert "text" not in shown


async def test_a_request_that_cannot_be_read_is_the_operations(
    dialect: NativeDialect, pipeline: MemoryPipeline
) -> None:
    reply = await dialect.answer(asked("GET", "/v1/secrets/a//b:value"))
    assert (reply.status, json.loads(reply.body)["kind"]) == (400, "invalid-request")
    assert pipeline.refused == []


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("GET", "/nowhere", 404, None),
        ("PUT", "/v1/secrets", 405, "GET, POST"),
        ("POST", "/v1/health", 405, "GET, HEAD"),
        ("GET", "/v1/secrets/%ff:value", 400, None),
    ],
)
async def test_no_operation(
    dialect: NativeDialect, pipeline: MemoryPipeline, method: str, path: str, status: int, allowed: str | None
) -> None:
    reply = await dialect.answer(asked(method, path))
    assert (reply.status, reply.headers.get("Allow")) == (status, allowed)
    assert reply.content_type == "application/problem+json"
    assert len(pipeline.refused) == 1
    assert pipeline.ran == []


async def test_a_refusal_that_cannot_be_recorded_says_that(dialect: NativeDialect, pipeline: MemoryPipeline) -> None:
    pipeline.unrecorded = StorageUnavailable()
    reply = await dialect.answer(asked("PUT", "/v1/secrets"))
    assert (reply.status, json.loads(reply.body)["kind"]) == (503, "storage-unavailable")
    assert int(reply.headers["Retry-After"]) >= 1


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_document_is_no_operation(dialect: NativeDialect, pipeline: MemoryPipeline, method: str) -> None:
    reply = await dialect.answer(asked(method, "/v1/health"))
    assert (reply.status, reply.request_id) == (200, "")
    assert pipeline.ran == []
    assert pipeline.refused == []


class Seen:
    def __init__(self, available: bool, storage_reason: str) -> None:
        reason = "" if available else "cannot reach the key store"
        self.keystore_status: KeyStoreStatus | None = KeyStoreStatus(available, reason, "", "", 0, 0, {})
        self.storage_reason = storage_reason
        self.rotation_states: Mapping[RotationState, int] = {RotationState.IDLE: 12, RotationState.QUARANTINED: 1}
        self.left_to_rewrap: int | None = None
        self.well = available and not storage_reason


class Counted:
    accepted, turned_away, failed_handshakes, open_connections = 7, 2, 4, 3


@pytest.mark.parametrize(
    ("seen", "status", "words"),
    [
        (Seen(True, ""), 200, {"keystore": "ok", "storage": "ok"}),
        (Seen(False, ""), 503, {"keystore": "cannot reach the key store", "storage": "ok"}),
        (Seen(True, "cannot use the storage: the disk is full"), 503, {"keystore": "ok", "storage": "cannot use"}),
    ],
)
def test_health(seen: Seen, status: int, words: dict[str, str]) -> None:
    code, _, body = health_page(seen)()
    parts = json.loads(body)["parts"]
    assert code == status
    assert all(parts[name].startswith(word) for name, word in words.items())


def test_metrics(pipeline: MemoryPipeline) -> None:
    page = metrics_page(pipeline, Seen(False, ""), [Counted()])  # type: ignore[arg-type]  # counts are all it reads
    lines = page()[2].decode().splitlines()
    assert 'secretsd_calls_total{operation="GetSecretValue",outcome="ok"} 3.0' in lines
    assert "secretsd_open_connections 3.0" in lines
    assert "secretsd_accepted_connections_total 7.0" in lines
    assert "secretsd_refused_connections_total 2.0" in lines
    assert "secretsd_failed_handshakes_total 4.0" in lines
    assert "secretsd_keystore_up 0.0" in lines
    assert "secretsd_storage_up 1.0" in lines


def test_metrics_of_a_new_root(pipeline: MemoryPipeline) -> None:
    seen, moved = Seen(True, ""), 0
    page = metrics_page(pipeline, seen, [], dict, lambda: moved)  # type: ignore[arg-type]  # counts are all it reads

    def told() -> list[str]:
        lines = page()[2].decode().splitlines()
        return [line for line in lines if line.startswith(("secretsd_key_versions", "secretsd_rewrapped"))]

    assert told()[0] == "secretsd_rewrapped_key_versions_total 0.0", "what is not known yet is not told"
    seen.left_to_rewrap, moved = 12, 3
    assert {
        "secretsd_key_versions_under_older_roots 12.0",
        "secretsd_rewrapped_key_versions_total 3.0",
    } <= set(told())


def test_metrics_of_rotations(pipeline: MemoryPipeline) -> None:
    """Every state has a number, so that an alarm on quarantine need not know whether there ever was one."""
    for seconds in (0.005, 0.02, 0.02, 1.2, 1.6):
        pipeline.parts.barrier.held.add(seconds)
    pipeline.parts.barrier.held.refused = 1
    page = metrics_page(pipeline, Seen(True, ""), [])  # type: ignore[arg-type]  # counts are all it reads
    lines = page()[2].decode().splitlines()
    counted = [line for line in lines if line.startswith("secretsd_rotations{")]
    assert len(counted) == len(RotationState)
    assert {'secretsd_rotations{state="idle"} 12.0', 'secretsd_rotations{state="quarantined"} 1.0'} <= set(counted)
    assert sum(line.endswith(" 0.0") for line in counted) == len(RotationState) - 2
    told = [line.rpartition(" ") for line in lines if line.startswith("secretsd_reads_held")]
    held = {name: float(number) for name, _, number in told}
    buckets = [
        held[f'secretsd_reads_held_seconds_bucket{{le="{le}"}}'] for le in ("0.01", "0.025", "1.0", "1.5", "+Inf")
    ]
    assert buckets == [1, 3, 3, 4, 5]
    assert held["secretsd_reads_held_seconds_count"] == 5
    assert held["secretsd_reads_held_seconds_sum"] == pytest.approx(2.845)
    assert "secretsd_reads_refused_by_barrier_total 1.0" in lines


def test_the_document_has_every_operation_once() -> None:
    described: dict[str, Any] = document(catalogue())
    found = [one["operationId"] for methods in described["paths"].values() for one in methods.values()]
    assert sorted(found) == sorted(name for name, operation in catalogue().items() if operation.route is not None)
    assert text(catalogue()) == text(catalogue())


def test_every_reference_in_the_document_leads_somewhere() -> None:
    described = document(catalogue())
    schemas = described["components"]["schemas"]

    def references(node: Any) -> list[str]:
        parts = list(node.values()) if isinstance(node, Mapping) else node if isinstance(node, (list, tuple)) else []
        own = [node["$ref"]] if isinstance(node, Mapping) and "$ref" in node else []
        return own + [one for part in parts for one in references(part)]

    names = {reference.removeprefix("#/components/schemas/") for reference in references(described)}
    assert names
    assert names <= set(schemas)
