"""A worker's connection: what waits is bounded, and whatever becomes of a call gives its place back."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence

import pytest

from secretsd.adapters import frames
from secretsd.adapters.keystore_process import link as links
from secretsd.adapters.keystore_process import messages as m
from secretsd.adapters.keystore_process.link import Link, LinkLost
from secretsd.domain.errors import KeyStoreUnavailable

SOON, LATE = 0.05, 30.0


class Process:
    """The other end, which answers what it is told to."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._unpacker = frames.Unpacker()

    async def heard(self) -> list[m.Call]:
        """The calls of the next frames."""
        data = await asyncio.get_running_loop().sock_recv(self.connection, 1 << 20)
        return [call for body in self._unpacker.feed(data) for call in m.decode_calls(body)]

    async def say(self, numbers: Sequence[int]) -> None:
        """An answer to each."""
        answers = [m.Done(number, b"%d" % number) for number in numbers]
        await asyncio.get_running_loop().sock_sendall(self.connection, frames.pack(answers))


@contextlib.asynccontextmanager
async def connected() -> AsyncIterator[tuple[Link, Process]]:
    mine, theirs = socket.socketpair()
    theirs.setblocking(False)
    loop = asyncio.get_running_loop()
    with theirs:
        _, link = await loop.create_connection(lambda: Link(lambda _: None), sock=mine)
        yield link, Process(theirs)
        link.close()


def random(link: Link, seconds: float = LATE) -> "asyncio.Future[m.Answer]":
    """A call, by `seconds` from now."""
    return link.ask(lambda number: m.Random(number, 32), asyncio.get_running_loop().time() + seconds)


async def test_the_calls_of_a_turn_leave_together_and_each_gets_its_answer() -> None:
    async with connected() as (link, process):
        asked = [random(link) for _ in range(40)]
        calls = await process.heard()
        assert len(calls) == 40
        await process.say([call.id for call in reversed(calls)])
        answers = await asyncio.gather(*asked)
        assert [answer.value for answer in answers if isinstance(answer, m.Done)] == [b"%d" % call.id for call in calls]


async def test_more_calls_than_a_frame_holds_leave_in_several() -> None:
    async with connected() as (link, process):
        asked = [random(link) for _ in range(600)]
        calls: list[m.Call] = []
        while len(calls) < 600:
            calls += await process.heard()
        for start in range(0, 600, 300):
            await process.say([call.id for call in calls[start : start + 300]])
        assert len(await asyncio.gather(*asked)) == 600


async def test_a_caller_that_goes_leaves_its_place_when_the_answer_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "MOST_IN_FLIGHT", 2)
    async with connected() as (link, process):
        gone, stays = random(link), random(link)
        calls = await process.heard()
        gone.cancel()
        with pytest.raises(KeyStoreUnavailable, match="too many calls"):
            random(link)
        await process.say([call.id for call in calls])
        await stays
        again = [random(link), random(link)]
        await process.say([call.id for call in await process.heard()])
        assert len(await asyncio.gather(*again)) == 2


async def test_bytes_in_flight_are_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    one = len(m.encode(m.Random(1, 32)))
    monkeypatch.setattr(links, "MOST_IN_FLIGHT_BYTES", one)
    async with connected() as (link, process):
        for _ in range(3):
            asked = random(link)
            with pytest.raises(KeyStoreUnavailable, match="too many calls"):
                random(link)
            await process.say([call.id for call in await process.heard()])
            await asked


async def test_a_deadline_gives_the_place_back_and_a_late_answer_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "MOST_IN_FLIGHT", 1)
    async with connected() as (link, process):
        late = random(link, SOON)
        first = await process.heard()
        with pytest.raises(KeyStoreUnavailable, match="in time"):
            await late
        asked = random(link)
        second = await process.heard()
        await process.say([first[0].id, second[0].id])
        assert await asked == m.Done(second[0].id, b"%d" % second[0].id)


async def test_while_it_is_silent_one_call_finds_out_and_the_others_do_not_wait() -> None:
    async with connected() as (link, process):
        with pytest.raises(KeyStoreUnavailable, match="in time"):
            await random(link, SOON)
        await process.heard()
        trying = random(link)
        with pytest.raises(KeyStoreUnavailable, match="does not answer"):
            random(link)
        await process.say([call.id for call in await process.heard()])
        await trying
        asked = [random(link), random(link)]
        await process.say([call.id for call in await process.heard()])
        await asyncio.gather(*asked)


async def test_the_end_of_the_connection_ends_every_call() -> None:
    async with connected() as (link, process):
        asked = [random(link) for _ in range(3)]
        await process.heard()
        process.connection.close()
        ends = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(end) for end in ends] == [LinkLost] * 3
        with pytest.raises(LinkLost):
            random(link)
