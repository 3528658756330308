"""One connection to the keystore process: the calls of a loop turn leave in one write, answers come by number."""

import asyncio
from collections.abc import Callable
from typing import cast

import msgspec

from secretsd.adapters import frames
from secretsd.adapters.keystore_process import messages as m
from secretsd.domain.errors import KeyStoreUnavailable

MOST_IN_FLIGHT = 10_000
MOST_IN_FLIGHT_BYTES = 32 * 1024 * 1024
_FRAME_CALLS = 256
_FRAME_BYTES = 1024 * 1024


class LinkLost(Exception):
    """The connection is gone; whether the call was done is unknown."""


class Link(asyncio.Protocol):
    """A connection. `lost` is called once, when it has ended."""

    def __init__(self, lost: Callable[["Link"], None]) -> None:
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._unpacker = frames.Unpacker()
        self._waiting: dict[int, tuple[asyncio.Future[m.Answer], float, int]] = {}
        self._outgoing: list[bytes] = []
        self._bytes = 0
        self._number = 0
        self._sweeping: asyncio.TimerHandle | None = None
        self._silent = False

    def ask(self, call: Callable[[int], m.Call], deadline: float) -> "asyncio.Future[m.Answer]":
        """The answer to `call(number)`; LinkLost; KeyStoreUnavailable at the deadline and the bounds.

        A call whose caller has gone counts towards the bounds until it is answered, or its deadline is over.
        """
        if self._transport is None:
            raise LinkLost
        if self._silent and self._waiting:
            # One call at a time finds out whether it answers again; the others need not wait for a deadline each.
            raise KeyStoreUnavailable("cannot reach the key store: it does not answer", retry_after_seconds=1)
        self._number = (self._number + 1) % (1 << 32)
        number = self._number
        encoded = m.encode(call(number))
        if len(self._waiting) >= MOST_IN_FLIGHT or self._bytes + len(encoded) > MOST_IN_FLIGHT_BYTES:
            raise KeyStoreUnavailable("cannot use the key store now: too many calls wait for it", retry_after_seconds=1)
        future: asyncio.Future[m.Answer] = self._loop.create_future()
        self._waiting[number] = (future, deadline, len(encoded))
        self._bytes += len(encoded)
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(encoded)
        if self._sweeping is None:
            self._sweeping = self._loop.call_at(deadline, self._sweep)
        return future

    def close(self) -> None:
        """End the connection; calls in flight get LinkLost."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's word that it is open."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by behaviour only

    def data_received(self, data: bytes) -> None:
        """Hand answers to their callers; whoever is no keystore process of ours is left."""
        try:
            answers = [answer for body in self._unpacker.feed(data) for answer in m.decode_answers(body)]
        except (frames.BadFrame, msgspec.MsgspecError, UnicodeDecodeError):
            self.close()
            return
        self._silent = False
        for answer in answers:
            found = self._waiting.pop(answer.id, None)
            if found is not None:
                future, _, size = found
                self._bytes -= size
                if not future.done():
                    future.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Everybody who waits learns that the answer will not come."""
        self._transport = None
        if self._sweeping is not None:
            self._sweeping.cancel()
        self._outgoing.clear()
        self._lost(self)
        waiting, self._waiting, self._bytes = self._waiting, {}, 0
        for future, _, _ in waiting.values():
            if not future.done():
                future.set_exception(LinkLost())

    def _flush(self) -> None:
        """All calls of this loop turn, in as few frames as the bounds allow, in one write."""
        outgoing, self._outgoing = self._outgoing, []
        if self._transport is None or not outgoing:
            return
        if len(outgoing) == 1:  # within the bounds, as each call is by itself
            self._transport.write(frames.joined(outgoing))
            return
        packed: list[bytes] = []
        batch: list[bytes] = []
        size = 0
        for encoded in outgoing:
            if batch and (len(batch) >= _FRAME_CALLS or size + len(encoded) > _FRAME_BYTES):
                packed.append(frames.joined(batch))
                batch, size = [], 0
            batch.append(encoded)
            size += len(encoded)
        packed.append(frames.joined(batch))
        self._transport.write(packed[0] if len(packed) == 1 else b"".join(packed))

    def _sweep(self) -> None:
        """One timer for all calls: they wait in the order of their deadlines, or nearly so."""
        now = self._loop.time()
        self._sweeping = None
        earliest = None
        for number, (future, deadline, size) in list(self._waiting.items()):
            if deadline <= now:
                self._silent = True
                del self._waiting[number]
                self._bytes -= size
                if not future.done():
                    future.set_exception(
                        KeyStoreUnavailable("cannot reach the key store in time", retry_after_seconds=1)
                    )
            elif earliest is None or deadline < earliest:
                earliest = deadline
        if earliest is not None:
            self._sweeping = self._loop.call_at(earliest, self._sweep)
