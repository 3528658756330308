"""Batches as server-sent events: ids where all has arrived, signs of life, the last word."""

import json
from typing import Any

import msgspec

from secretsd.api.watch import SecretChange
from secretsd.dialects.native.dialect import Incoming, NativeDialect
from secretsd.dialects.native.event_stream import EventStream
from secretsd.dialects.native.openapi import document
from secretsd.dialects.native.requests import Reader
from secretsd.operations.authenticator import Caller
from secretsd.operations.catalogue import catalogue
from secretsd.operations.pipeline import Answer
from secretsd.operations.streams import Batch, Prove, Stream

A, B = SecretChange(name="a", version_id="v-1", number=1), SecretChange(name="b", deleted=True)
CALLER = Caller("unix:pid/1", 0)


class MemoryStream(Stream[SecretChange]):
    """Gives the batches that it was made with."""

    kind = "secret"

    def __init__(self, *batches: Batch[SecretChange]) -> None:
        self.batches = [*batches]
        self.farewells: list[str] = []
        self.closed = False

    async def next(self) -> Batch[SecretChange] | None:
        return self.batches.pop(0) if self.batches else None

    def proved_by(self, prove: Prove) -> None:
        raise AssertionError("the pipeline's business")

    def end(self, farewell: str) -> None:
        self.farewells.append(farewell)

    def close(self) -> None:
        self.closed = True


async def piece(batch: Batch[SecretChange]) -> bytes:
    return await EventStream(MemoryStream(batch), msgspec.json.encode).next()


async def test_only_the_last_of_a_batch_has_the_id() -> None:
    """Whoever gets the first alone must not go on after both."""
    first, second, rest = (await piece(Batch((A, B), "feed.1.7"))).split(b"\n\n")
    assert rest == b""
    assert first == b'event: secret\ndata: {"name":"a","version_id":"v-1","number":1}'
    assert second == b'id: feed.1.7\nevent: secret\ndata: {"name":"b","deleted":true}'


async def test_a_sign_of_life_is_a_comment_with_the_place() -> None:
    assert await piece(Batch((), "feed.1.8")) == b": \nid: feed.1.8\n\n"


async def test_the_last_word_says_why_and_gives_no_place() -> None:
    assert await piece(Batch((), "", "denied")) == b'event: bye\ndata: {"reason":"denied"}\n\n'


async def test_the_end_is_nothing() -> None:
    assert await EventStream(MemoryStream(), msgspec.json.encode).next() == b""


async def test_an_end_of_the_connection_is_a_shutdown() -> None:
    stream = MemoryStream()
    events = EventStream(stream, msgspec.json.encode)
    events.end()
    events.close()
    assert (stream.farewells, stream.closed) == (["shutdown"], True)


class StreamingPipeline:
    """Answers with a stream, and keeps the requests that it read."""

    def __init__(self) -> None:
        self.stream = MemoryStream(Batch((A,), "feed.1.7"))
        self.asked: list[Any] = []

    async def run(self, operation: Any, read: Any, caller: Caller) -> Answer:
        self.asked.append(read())
        return Answer("id", stream=self.stream)


async def test_the_dialect_hands_on_a_stream() -> None:
    pipeline = StreamingPipeline()
    dialect = NativeDialect(pipeline, catalogue(), {})  # type: ignore[arg-type]  # as much of a pipeline as it needs
    headers = {"Last-Event-ID": "feed.1.6"}
    query = "names=a&names=b&last_event_id=feed.1.1"
    reply = await dialect.answer(Incoming("GET", "/v1/secrets:watch", query, "", b"", CALLER, headers))
    assert (reply.status, reply.content_type, reply.body, reply.request_id) == (200, "text/event-stream", b"", "id")
    assert reply.stream is not None
    assert (await reply.stream.next()).startswith(b"id: feed.1.7\nevent: secret\n")
    (request,) = pipeline.asked
    assert (request.names, request.last_event_id) == (("a", "b"), "feed.1.6"), "the header is newer than the query"


def test_only_streams_look_for_how_far_their_reader_got() -> None:
    operations = catalogue()
    headers = {"Last-Event-ID": "feed.1.6"}
    found = Reader(operations["ListSecrets"]).read(None, "prefix=a", b"", "", headers)
    assert "last_event_id" not in found.__struct_fields__
    watching: Any = Reader(operations["WatchSecrets"]).read(None, "names=a", b"", "")
    assert watching.last_event_id is None


def test_a_hundred_names_fit_into_a_query() -> None:
    query = "&".join(f"names=app/{number}" for number in range(100)) + "&last_event_id=feed.1.6"
    found: Any = Reader(catalogue()["WatchSecrets"]).read(None, query, b"", "")
    assert len(found.names) == 100


def test_the_document_says_that_it_streams() -> None:
    described = document(catalogue())["paths"]["/v1/secrets:watch"]["get"]
    assert set(described["responses"]["200"]["content"]) == {"text/event-stream"}
    assert json.dumps(described["responses"]["200"]).count("#/components/schemas/SecretChange") == 1
    places = {(one["in"], one["name"]) for one in described["parameters"]}
    assert places == {("query", "names"), ("query", "last_event_id"), ("header", "Last-Event-ID")}
    others = [
        media
        for methods in document(catalogue())["paths"].values()
        for one in methods.values()
        if one["operationId"] != "WatchSecrets"
        for media in one["responses"]["200"]["content"]
    ]
    assert set(others) == {"application/json"}
