"""The loop of the keystore process: one thread that reads, works in the HSM and answers, fair to every worker.

The control channel is answered between batches, so that a module that hangs is a ping without an answer.
"""

import os
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial

from secretsd.adapters.keystore_process import messages as m
from secretsd.adapters.keystore_process.calls import Calls
from secretsd.adapters.keystore_process.peer import Dropped, Peer
from secretsd.adapters.pkcs11.pkcs11_keystore import PKCS11KeyStore
from secretsd.domain.errors import KeyStoreUnavailable

CONTROL_FD = 3
BATCH = 16
MOST_PEERS = 256
_LOOK_AGAIN_SECONDS = 1.0


class Service:
    """Serves `listener` until `stop`; `log` gets whole sentences."""

    def __init__(
        self,
        keystore: PKCS11KeyStore,
        calls: Calls,
        listener: socket.socket,
        allowed_uids: Collection[int],
        flush_seconds: float,
        stalled_seconds: float,
        log: Callable[[str], None],
    ) -> None:
        self._keystore, self._calls, self._listener = keystore, calls, listener
        self._allowed_uids, self._flush_seconds = frozenset(allowed_uids), flush_seconds
        self._stalled_seconds, self._log = stalled_seconds, log
        self._selector = selectors.DefaultSelector()
        self._interest: dict[Peer, int] = {}
        self._turns: deque[Peer] = deque()
        self._stopping = False
        self._was_available = True

    def stop(self) -> None:
        """Finish the calls that have arrived, then return from `run`."""
        self._stopping = True

    def wake_by(self, fd: int) -> None:
        """Leave the selector when `fd` has something to read (signals)."""
        self._selector.register(fd, selectors.EVENT_READ, partial(_drain, fd))

    def run(self) -> None:
        """Serve. ModuleRefused passes through."""
        os.set_blocking(CONTROL_FD, False)
        self._selector.register(CONTROL_FD, selectors.EVENT_READ, self._pinged)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        _say(b"R")
        looked = time.monotonic()
        while not (self._stopping and not self._turns):
            for key, events in self._selector.select(self._patience()):
                key.data(events) if isinstance(key.data, partial) else key.data()
            if self._turns:
                self._work(self._turns.popleft())
            if time.monotonic() - looked > _LOOK_AGAIN_SECONDS:
                looked = time.monotonic()
                self._drop_stalled(looked)
            if not (self._keystore.token.available and self._was_available):
                self._look_after_the_token()
        for peer in list(self._interest):
            self._drop(peer, "")

    def _patience(self) -> float:
        if self._turns or self._stopping:
            return 0.0
        if self._keystore.token.available:
            return _LOOK_AGAIN_SECONDS
        return min(_LOOK_AGAIN_SECONDS, self._keystore.token.retry_after)

    def _look_after_the_token(self) -> None:
        """Open a token that came back without waiting for a call that needs it."""
        if not self._keystore.token.available and self._keystore.token.retry_after == 0:
            with suppress(KeyStoreUnavailable):
                self._keystore.token.ensure_open()
        if self._keystore.token.available != self._was_available:
            self._was_available = self._keystore.token.available
            self._log("the token is back" if self._was_available else self._keystore.token.reason)

    def _pinged(self) -> None:
        try:
            pings = os.read(CONTROL_FD, 4096)
        except BlockingIOError:
            return
        except OSError:
            pings = b""
        if not pings:
            os._exit(1)  # the supervisor is gone, and nobody may outlive it
        _say(b"P" * pings.count(b"p"))

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError as error:
            self._log(f"cannot accept a worker: {error.strerror}")
            time.sleep(0.01)  # out of descriptors: the listener stays readable, and spinning would help nobody
            return
        peer = Peer(connection)
        if self._stopping or peer.uid not in self._allowed_uids or len(self._interest) >= MOST_PEERS:
            self._log(f"cannot serve a connection of uid {peer.uid}: not allowed, or too many")
            connection.close()
            return
        self._interest[peer] = selectors.EVENT_READ
        self._selector.register(connection, selectors.EVENT_READ, partial(self._ready, peer))

    def _ready(self, peer: Peer, events: int) -> None:
        if peer not in self._interest:
            return
        try:
            if events & selectors.EVENT_WRITE:
                peer.flush()
            if events & selectors.EVENT_READ:
                peer.read()
        except Dropped as why:
            self._drop(peer, str(why))
            return
        self._settle(peer)

    def _work(self, peer: Peer) -> None:
        """At most one batch of a peer's calls, answered in one write, or in several when the HSM is slow."""
        if peer not in self._interest:
            return
        batch = [peer.waiting.popleft() for _ in range(min(BATCH, len(peer.waiting)))]
        try:
            if len(batch) == 1:
                peer.send([self._calls.answer(batch[0])])
            else:
                self._answer(peer, batch)
        except Dropped as why:
            self._drop(peer, str(why))
            return
        self._settle(peer)

    def _answer(self, peer: Peer, batch: list[m.Call]) -> None:
        self._calls.reserve(batch)
        answers: list[m.Answer] = []
        flushed = time.monotonic()
        for call in batch:
            answers.append(self._calls.answer(call))
            if (now := time.monotonic()) - flushed > self._flush_seconds:
                flushed = now
                peer.send(answers)
                answers = []
        if answers:
            peer.send(answers)

    def _settle(self, peer: Peer) -> None:
        """Watch for what the peer may do next, and give it a turn if it has something to work on."""
        wanted = selectors.EVENT_READ * peer.wants_read | selectors.EVENT_WRITE * peer.wants_write
        if wanted != self._interest[peer]:
            handler = partial(self._ready, peer)
            if not self._interest[peer]:
                self._selector.register(peer.connection, wanted, handler)
            elif wanted:
                self._selector.modify(peer.connection, wanted, handler)
            else:
                self._selector.unregister(peer.connection)
            self._interest[peer] = wanted
        if peer.may_work and peer not in self._turns:
            self._turns.append(peer)

    def _drop_stalled(self, now: float) -> None:
        for peer in [peer for peer in self._interest if peer.stuck_for(now) > self._stalled_seconds]:
            self._drop(peer, "cannot answer a worker: it takes no answers")

    def _drop(self, peer: Peer, why: str) -> None:
        if why:
            self._log(why)
        if self._interest.pop(peer, 0):
            self._selector.unregister(peer.connection)
        if peer in self._turns:
            self._turns.remove(peer)
        peer.connection.close()


def _drain(fd: int, _events: int) -> None:
    os.read(fd, 4096)


def _say(data: bytes) -> None:
    try:
        os.write(CONTROL_FD, data)
    except BlockingIOError:
        pass  # thousands of answers are unread: the supervisor will count any later one just as well
    except OSError:
        os._exit(1)
