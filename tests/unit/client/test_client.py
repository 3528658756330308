"""The client over a real Unix socket: connections are kept, calls end in time, writes are not doubled."""

import asyncio
import json
import traceback

import pytest

from secretsd.api.secrets import ListSecretsRequest, ListSecretsResponse
from secretsd.client import Client, DaemonUnavailable, Plaintext, Retries, TextValue, UnreadableAnswer
from secretsd.client.connections import MAX_ANSWER_BYTES
from secretsd.client.errors import ClientError
from secretsd.domain.errors import AccessDenied, Conflict, KeyStoreUnavailable, Throttled

QUICK = Retries(attempts=3, first_wait_seconds=0.001, longest_wait_seconds=0.002)
TOKEN = Plaintext(b"canary-token")
STORED = {"name": "prod/db/app", "version_id": "v", "number": 1, "stages": ["current"]}


def client_of(daemon, **more) -> Client:
    return Client(socket=daemon.socket, token=TOKEN, retries=QUICK, **more)


async def test_a_value_comes_over_one_kept_connection_with_the_token(daemon, value) -> None:
    daemon.answers = [daemon.reply(200, value())]
    async with client_of(daemon) as client:
        for _ in range(5):
            found = await client.get_secret_value("prod/db/app", stage="previous")
    assert found.text is not None
    assert found.text.reveal() == b"canary-value"
    assert daemon.connections == 1
    assert {one.target for one in daemon.seen} == {"/v1/secrets/prod/db/app:value?stage=previous"}
    assert {one.headers["authorization"] for one in daemon.seen} == {"Bearer canary-token"}


async def test_a_path_arrives_as_it_was_written(daemon, value) -> None:
    daemon.answers = [daemon.reply(200, value())]
    async with client_of(daemon) as client:
        for name in ("a/../b", "a//b", "./a", "a%2Fb", "a:b"):
            await client.get_secret_value(name)
    sent = [one.target for one in daemon.seen]
    assert sent == [f"/v1/secrets/{text}:value" for text in ("a/../b", "a//b", "./a", "a%252Fb", "a%3Ab")]


async def test_a_read_survives_a_broken_connection_and_a_daemon_that_asks_for_patience(daemon, value) -> None:
    daemon.answers = [None, daemon.problem(503, "rotation-in-progress"), daemon.reply(200, value())]
    async with client_of(daemon) as client:
        await client.get_secret_value("prod/db/app")
    assert len(daemon.seen) == 3


async def test_tries_are_bounded_and_the_last_error_is_the_answer(daemon) -> None:
    daemon.answers = [daemon.problem(429, "throttled")]
    async with client_of(daemon) as client:
        with pytest.raises(Throttled, match="cannot: throttled"):
            await client.list_keys()
    assert len(daemon.seen) == QUICK.attempts


async def test_a_retry_after_beyond_the_deadline_is_told_at_once(daemon) -> None:
    daemon.answers = [daemon.problem(503, "keystore-unavailable", Retry_After="3600")]
    async with client_of(daemon) as client:
        with pytest.raises(KeyStoreUnavailable) as caught:
            await client.list_keys()
    assert caught.value.retry_after_seconds == 3600
    assert len(daemon.seen) == 1


async def test_a_value_is_stored_under_one_token_however_often_it_is_sent(daemon) -> None:
    daemon.answers = [None, daemon.problem(503, "storage-unavailable"), daemon.reply(200, STORED)]
    async with client_of(daemon) as client:
        await client.put_secret_value("prod/db/app", text=TextValue(b"x"))
    tokens = [json.loads(one.body)["token"] for one in daemon.seen]
    assert len(tokens) == 3
    assert len(set(tokens)) == 1


@pytest.mark.parametrize("broken", ["at once", "kept connection"])
async def test_a_deletion_is_sent_once_even_when_the_connection_breaks(daemon, value, broken: str) -> None:
    """A kept connection is the trap: HTTP libraries repeat DELETE on their own there."""
    daemon.answers = [daemon.reply(200, value()), None] if broken == "kept connection" else [None]
    async with client_of(daemon) as client:
        if broken == "kept connection":
            await client.get_secret_value("prod/db/app")
        with pytest.raises(DaemonUnavailable, match="cannot tell what became of DeleteSecret") as caught:
            await client.delete_secret("prod/db/app")
    assert caught.value.sent
    assert [one.method for one in daemon.seen].count("DELETE") == 1


async def test_a_call_ends_at_its_deadline_and_says_that_the_outcome_is_open(daemon) -> None:
    daemon.hold = asyncio.Event()
    daemon.answers = [None]
    async with client_of(daemon, deadline_seconds=0.2) as client:
        with pytest.raises(DaemonUnavailable, match=r"within 0\.2 s") as caught:
            await client.rotate_secret("prod/db/app")
    assert caught.value.sent
    assert caught.value.__cause__ is None
    daemon.hold.set()


async def test_a_daemon_that_is_not_there_is_named(tmp_path) -> None:
    async with Client(socket=tmp_path / "none.sock", retries=QUICK) as client:
        with pytest.raises(DaemonUnavailable, match=r"none\.sock: no such file or directory") as caught:
            await client.delete_secret("a")
    assert not caught.value.sent


async def test_no_error_carries_the_token_or_the_body(daemon, value) -> None:
    """Neither the error nor anything that hangs on it; the HTTP library's own errors hold the request's headers."""
    answers = [
        None,
        b"HTTP/1.1 banana\r\n\r\n",
        daemon.reply(200, ["canary-body"]),
        daemon.problem(403, "access-denied"),
    ]
    async with client_of(daemon) as client:
        for answer in answers:
            daemon.answers = [answer]
            with pytest.raises((ClientError, AccessDenied)) as caught:
                await client.put_secret_value("prod/db/app", text=TextValue(b"canary-sent"))
            error: BaseException | None = caught.value
            while error is not None:
                assert "canary" not in repr(error)
                assert "canary" not in str(error)
                error = error.__cause__ or error.__context__
            assert "canary-" not in "".join(
                line for line in traceback.format_exception(caught.value) if "TextValue(" not in line
            )


async def test_an_answer_without_an_end_is_given_up(daemon) -> None:
    body = b" " * (MAX_ANSWER_BYTES + 1)
    daemon.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body]
    async with client_of(daemon, deadline_seconds=60) as client:
        with pytest.raises(UnreadableAnswer, match="longer than"):
            await client.list_keys()


async def test_pages_follow_their_tokens_to_the_end(daemon) -> None:
    daemon.answers = [
        daemon.reply(200, {"secrets": [], "next_token": "a"}),
        daemon.reply(200, {"secrets": [], "next_token": "b"}),
        daemon.reply(200, {"secrets": []}),
    ]
    async with client_of(daemon) as client:
        request = ListSecretsRequest(prefix="p/")
        pages = [page async for page in client.pages("ListSecrets", request, ListSecretsResponse)]
    assert len(pages) == 3
    assert [one.target.partition("next_token=")[2] for one in daemon.seen] == ["", "a", "b"]
    assert all("prefix=p%2F" in one.target for one in daemon.seen)


async def test_an_operation_without_a_method_can_be_called_by_name_and_an_unknown_one_cannot(daemon) -> None:
    daemon.answers = [daemon.problem(409, "conflict")]
    async with client_of(daemon) as client:
        with pytest.raises(Conflict):
            await client.call("ListSecrets", ListSecretsRequest())
        with pytest.raises(ClientError, match="does not know its name"):
            await client.call("NoSuchThing", ListSecretsRequest())


async def test_health_is_told_also_when_it_is_bad(daemon) -> None:
    daemon.answers = [daemon.reply(200, {"status": "ok"}), daemon.reply(503, {"status": "degraded"})]
    async with client_of(daemon) as client:
        assert (await client.health()).serving
        bad = await client.health()
    assert not bad.serving
    assert bad.document == {"status": "degraded"}
    assert [one.target for one in daemon.seen] == ["/v1/health"] * 2
