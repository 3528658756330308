"""Watching for real: nothing is missed over broken connections and dying workers, and nobody watches who may not."""

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from secretsd.api.watch import WatchSecretsRequest
from secretsd.client import Client, Plaintext, Retries, TextValue
from secretsd.client.connections import OpenAnswer
from secretsd.client.watch import Watching
from secretsd.testing.daemon import Daemon, secret_path
from secretsd.testing.policies import document
from tests.acceptance.event_wire import watching
from tests.acceptance.wire import daemon_in_passable_place, wait_for

pytestmark = pytest.mark.acceptance
SEED = 77_003
NAMES = tuple(f"app/{number}" for number in range(4))
QUICK = Retries(first_wait_seconds=0.01, longest_wait_seconds=0.1)
LIMIT = 64


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def daemon(request: pytest.FixtureRequest) -> Iterator[Daemon]:
    settings = {"workers": request.param, "rotation": {"min_interval_seconds": 1}, "limits": {"max_watchers": LIMIT}}
    with daemon_in_passable_place(**settings) as daemon:
        for name in (*NAMES, "app/rotated", "other"):
            assert daemon.call("POST", "/v1/secrets", {"name": name, "text": "first"}).status == 200
        yield daemon


@pytest.fixture
async def client(daemon: Daemon) -> AsyncIterator[Client]:
    async with Client(socket=daemon.socket, retries=QUICK) as client:
        yield client


def watcher_token(daemon: Daemon, user: str) -> str:
    """The token of a new user who may watch what is below app/."""
    statement = {"effect": "Allow", "action": ["WatchSecrets"], "resource": ["secret/app/*"]}
    for path, body in (
        ("/v1/users", {"user": user}),
        ("/v1/policies", {"policy": user, "document": document(statement)}),
        (f"/v1/users/{user}:attach-policy", {"policy": user}),
    ):
        assert daemon.call("POST", path, body).status == 200
    return str(daemon.call("POST", f"/v1/users/{user}:create-token", {}).body["token"])


def put(daemon: Daemon, name: str, text: str) -> int:
    """The number of the new version."""
    answer = daemon.call("PUT", secret_path(name, "value"), {"text": text})
    assert answer.status == 200, answer.body
    return int(answer.body["number"])


def test_a_watch_as_it_goes_over_the_wire(daemon: Daemon) -> None:
    with watching(daemon, NAMES[0], NAMES[1]) as stream:
        assert (stream.status, stream.headers["content-type"]) == (200, "text/event-stream")
        (event,) = daemon.events(request_id=stream.headers["x-request-id"])
        assert (event["operation"], event["outcome"]) == ("WatchSecrets", "ok")
        assert event["fields"] == {"names": [NAMES[0], NAMES[1]]}
        assert [stream.event()[1]["name"] for _ in range(2)] == [NAMES[0], NAMES[1]]
        number = put(daemon, NAMES[1], "canary-of-a-watch")
        kind, data = stream.event()
        assert (kind, data["name"], data["number"]) == ("secret", NAMES[1], number)
        assert "canary" not in json.dumps(data)
        last = stream.id
    number = put(daemon, NAMES[0], "while nobody watches")
    with watching(daemon, NAMES[0], NAMES[1], last=last) as stream:
        _, data = stream.event()
        assert (data["name"], data["number"]) == (NAMES[0], number)
        assert put(daemon, NAMES[1], "again") == stream.event()[1]["number"], "nothing else was told between the two"


@pytest.mark.parametrize(("query", "status"), [("", 400), ("names=a//b", 400), ("names=app/none", 404)])
def test_what_cannot_be_watched(daemon: Daemon, query: str, status: int) -> None:
    answer = daemon.call("GET", f"/v1/secrets:watch?{query}".rstrip("?"))
    assert answer.status == status
    assert daemon.call("GET", "/v1/secrets:watch", query={"names": [f"n/{n}" for n in range(101)]}).status == 400


def test_one_name_that_may_not_be_watched_is_one_too_many(daemon: Daemon) -> None:
    token = watcher_token(daemon, "peeper")
    answers = [
        daemon.call("GET", "/v1/secrets:watch", query={"names": names}, token=token)
        for names in (["other"], [NAMES[0], "other"], [NAMES[0], "none"], ["none"])
    ]
    assert {(one.status, one.kind, one.body["detail"]) for one in answers} == {
        (403, "access-denied", "cannot do that: WatchSecrets is not allowed, or it does not exist")
    }


@pytest.mark.parametrize("lost", ["token", "policy"])
def test_a_watch_ends_when_the_permission_does(daemon: Daemon, lost: str) -> None:
    user = f"leaver-{lost}"
    token = watcher_token(daemon, user)
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(watching(daemon, NAMES[0], token=token)) for _ in range(6)]
        for stream in streams:
            stream.event()
        if lost == "token":
            (found,) = daemon.call("GET", f"/v1/users/{user}:tokens").body["tokens"]
            assert daemon.call("POST", f"/v1/users/{user}:delete-token", {"id": found["id"]}).status == 200
        else:
            assert daemon.call("POST", f"/v1/users/{user}:detach-policy", {"policy": user}).status == 200
        for stream in streams:
            assert stream.event() == ("bye", {"reason": "denied"})
            with pytest.raises(EOFError):
                stream.event()


def test_a_rotation_is_told(daemon: Daemon) -> None:
    with watching(daemon, "app/rotated") as stream:
        first = stream.event()[1]
        assert daemon.call("POST", secret_path("app/rotated", "rotate"), {"rotator": "random"}).status == 200
        while (now := stream.event()[1])["version_id"] == first["version_id"]:
            pass
        value = daemon.call("GET", secret_path("app/rotated", "value")).body
        assert (now["version_id"], now["number"]) == (value["version_id"], value["number"])


async def test_every_watcher_hears_of_what_any_worker_commits(daemon: Daemon, client: Client) -> None:
    watches = [client.watch([NAMES[2]]) for _ in range(16)]
    first = [await anext(one) for one in watches]
    for _ in range(10):
        number = await asyncio.to_thread(put, daemon, NAMES[2], "x")  # a connection of its own: any worker
        for watch in watches:
            async with asyncio.timeout(5):
                while ((await anext(watch)).number or 0) < number:
                    pass
    assert {one.number for one in first} == {number - 10}
    for watch in watches:
        await watch.aclose()


class Breaking:
    """Follows all names over connections that break at random; keeps the last number of each."""

    def __init__(self, client: Client, seed: int) -> None:
        self._client = client
        self._random = random.Random(seed)
        self.connections = 0
        self.breaking = True
        self.last: dict[str, int] = {}
        self.went_back: list[tuple[str, int, int]] = []

    async def connect(self, last: str | None) -> OpenAnswer:
        self.connections += 1
        request = WatchSecretsRequest(names=NAMES, last_event_id=last)
        opened = await self._client._opened("WatchSecrets", request)
        if self.breaking:
            asyncio.get_running_loop().call_later(self._random.uniform(0, 0.05), opened.close)
        return opened

    async def follow(self) -> None:
        async for told in Watching(self.connect, QUICK).told():
            change = told.change
            if change is not None and change.number is not None:
                before = self.last.get(change.name, 0)
                if change.number < before:
                    self.went_back.append((change.name, before, change.number))
                self.last[change.name] = change.number


async def test_nothing_is_missed_over_broken_connections(daemon: Daemon, client: Client) -> None:
    """Versions are written all the while; one of two workers is killed meanwhile; in the end all know the last ones."""
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    followers = [Breaking(client, SEED + number) for number in range(8)]
    tasks = [asyncio.create_task(one.follow()) for one in followers]
    workers = await asyncio.to_thread(daemon.children, "worker")
    written: dict[str, int] = {}
    for turn in range(300):
        name = chance.choice(NAMES)
        written[name] = (await client.put_secret_value(name, text=TextValue(b"%d" % turn))).number
        if turn == 150 and len(workers) > 1:
            os.kill(workers[0], signal.SIGKILL)
        await asyncio.sleep(chance.uniform(0, 0.006))
    for one in followers:
        one.breaking = False
    async with asyncio.timeout(15):
        while any(one.last != written for one in followers):  # noqa: ASYNC110  # it has no event of its own
            await asyncio.sleep(0.01)
    for task in tasks:
        assert not task.done()
        task.cancel()
    await asyncio.wait(tasks)
    assert [one.went_back for one in followers] == [[]] * 8
    connections = sum(one.connections for one in followers)
    print(f"{connections} connections")
    assert connections > 8 * 10, "they did break"
    if len(workers) > 1:
        await asyncio.to_thread(wait_for, "both workers", lambda: len(daemon.children("worker")) == len(workers))


async def test_a_cache_that_is_kept_fresh_is_not_behind(daemon: Daemon, client: Client) -> None:
    name = NAMES[3]
    async with client.secrets.keep_fresh([name]) as fresh, Client(socket=daemon.socket) as writer:
        assert fresh.connected
        for turn in range(20):
            await client.secrets.get(name, max_age_seconds=3600)
            await writer.put_secret_value(name, text=TextValue(b"turn %d" % turn))
            began = time.monotonic()
            while (await client.secrets.get(name, max_age_seconds=3600)).reveal() != b"turn %d" % turn:
                assert time.monotonic() - began < 5
                await asyncio.sleep(0.001)


def test_there_are_only_so_many_watchers_and_calls_go_on(daemon: Daemon) -> None:
    workers = len(daemon.children("worker"))
    refused = 0
    with contextlib.ExitStack() as stack:
        for _ in range(LIMIT * workers + 1):
            stream = stack.enter_context(watching(daemon, NAMES[0]))
            if stream.status == 429:
                refused += 1
                assert int(stream.headers["retry-after"]) >= 1
        assert refused >= 1
        assert daemon.call("GET", secret_path(NAMES[0], "value")).status == 200

    def free() -> bool:
        with watching(daemon, NAMES[0]) as stream:
            return stream.status == 200

    wait_for("a place", free)


async def test_a_user_without_the_permission_is_told_so(daemon: Daemon) -> None:
    token = Plaintext.from_text(await asyncio.to_thread(watcher_token, daemon, "outsider"))
    host, port = daemon.address
    async with Client(address=f"http://{host}:{port}", token=token, retries=QUICK) as client:
        with pytest.raises(Exception, match="not allowed, or it does not exist"):
            await anext(client.watch(["other"]))
        assert (await anext(client.watch([NAMES[0]]))).name == NAMES[0]


def test_the_command_prints_a_line_for_each(daemon: Daemon) -> None:
    command = [str(Path(sys.executable).with_name("secretsctl")), "--socket", daemon.socket, "watch", *NAMES[:2]]
    with subprocess.Popen([*command, "--count", "3"], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert [running.stdout.readline().partition(":")[0] for _ in range(2)] == [*NAMES[:2]]
        number = put(daemon, NAMES[0], "x")
        assert running.stdout.readline().startswith(f"{NAMES[0]}: version {number} (")
        assert running.wait(10) == 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        running.stdout.readline()
        running.send_signal(signal.SIGINT)
        assert running.wait(10) == 0
        assert running.stderr is not None
        assert running.stderr.read() == ""


def test_a_daemon_that_stops_says_goodbye_and_stops_quickly(daemon: Daemon) -> None:
    """The last one: it stops the daemon, and starts it again for whoever comes after."""
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(watching(daemon, *NAMES)) for _ in range(30)]
        for stream in streams:
            for _ in NAMES:
                stream.event()
        began = time.monotonic()
        assert daemon.stop() == 0
        took = time.monotonic() - began
        for stream in streams:
            assert stream.event() == ("bye", {"reason": "shutdown"})
            with pytest.raises(EOFError):
                stream.event()
    daemon.start()
    assert took < 4, "the drain time was waited out"
