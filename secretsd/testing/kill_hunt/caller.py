"""A caller whose requests are sent and answered in two moves, so that a kill can fall between them."""

import http.client
import json
import select
import time
from collections.abc import Sequence
from urllib.parse import urlencode

from secretsd.testing.daemon import Answered, Daemon, Watcher
from secretsd.testing.kill_hunt.journal import Entry, Journal, Request

CONNECT_SECONDS = 60.0
PAUSE_SECONDS = 0.005


class Unanswered(Exception):
    """The connection ended before the answer was complete."""


def now_ms() -> int:
    """The wall clock that the daemon's events have their times from."""
    return time.time_ns() // 1_000_000


class Caller:
    """One connection, as the administrator: over the Unix socket, or over TCP with the token. For one thread.

    `watchers` hear of what is sent and answered, as they do of a daemon's own calls.
    """

    def __init__(
        self, daemon: Daemon, journal: Journal, *, tcp: bool = False, watchers: Sequence[Watcher] = ()
    ) -> None:
        self.journal = journal
        self._daemon = daemon
        self._tcp = tcp
        self._watchers = watchers
        self._connection: http.client.HTTPConnection | None = None

    def send(self, request: Request) -> Entry:
        """Send a request whole; a connection that is not to be had is waited for. What happens next, `receive` tells.

        RuntimeError when nobody listens for a minute.
        """
        connection = self._connected()
        body = None if request.body is None else json.dumps(request.body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        if bearer := request.bearer or (self._daemon.token if self._tcp else ""):
            headers["Authorization"] = f"Bearer {bearer}"
        query = "" if not request.query else "?" + urlencode(request.query)
        entry = self.journal.add(Entry(request, now_ms()))
        try:
            connection.request(request.method, request.path + query, body, headers)
        except OSError:
            self.close()
        return entry

    def answering(self) -> bool:
        """Whether the first bytes of the answer, or the connection's end, are there to be read."""
        connection = self._connection
        return connection is None or connection.sock is None or bool(select.select([connection.sock], [], [], 0)[0])

    def receive(self, entry: Entry) -> Answered:
        """Wait for the answer; Unanswered when the connection ends without one."""
        try:
            if self._connection is None:
                raise ConnectionResetError
            # Closed whatever happens: an answer that breaks off would hold its socket open.
            with self._connection.getresponse() as response:
                data = response.read()
        except TimeoutError:
            self.journal.finding(f"{entry.request.operation} was not answered for {CONNECT_SECONDS:g} s")
            self._unanswered(entry)
        except (http.client.HTTPException, OSError):
            self._unanswered(entry)
        answer = Answered(response.status, json.loads(data), response.getheader("X-Request-Id", ""))
        if response.will_close:
            self.close()
        for watcher in self._watchers:
            watcher.spoke(self._daemon.state_dir, entry.request.body, answer.status, answer.body)
        entry.ended_ms = now_ms()
        entry.outcome = "ok" if answer.status == 200 else answer.kind
        entry.request_id = answer.request_id
        if not answer.request_id:
            self.journal.finding(f"{entry.request.operation} was answered without a request id")
        return answer

    def call(self, request: Request) -> Answered:
        """Send and receive."""
        return self.receive(self.send(request))

    def close(self) -> None:
        """Let go of the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _unanswered(self, entry: Entry) -> None:
        self.close()
        entry.ended_ms = now_ms()
        raise Unanswered

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is not None and self.answering():
            self.close()  # the other side has hung up in the meantime
        deadline = time.monotonic() + CONNECT_SECONDS
        while self._connection is None:
            connection = self._daemon.connect(tcp=self._tcp)
            connection.timeout = CONNECT_SECONDS
            try:
                connection.connect()
                self._connection = connection
            except OSError:
                connection.close()
                if time.monotonic() > deadline:
                    raise RuntimeError(f"cannot reach the daemon for {CONNECT_SECONDS:g} s") from None
                time.sleep(PAUSE_SECONDS)
        return self._connection
