"""The stack's own limit: 200 fixed bytes through the daemon's own listener, connection and reply, and nothing behind.

Run as `python -m benchmarks.fixed_answer SOCKET PORT`; prints `ready` when it serves and ends with its standard input.
"""

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import uvloop

from benchmarks.load import Exchange, http
from secretsd.dialects.native.dialect import JSON, Incoming, Reply
from secretsd.domain.errors import SecretsdError
from secretsd.operations.authenticator import Caller
from secretsd.transport.limits import Limits
from secretsd.transport.listener import Listener

BODY = b'{"text":"' + b"x" * 189 + b'"}'
EXCHANGE = Exchange(http("GET", "/v1/secrets/bench/fixed:value", [("Authorization", "Bearer fixed")]), BODY)


class FixedDialect:
    """Answers everything with the same bytes."""

    async def answer(self, incoming: Incoming) -> Reply:
        """The bytes, under a request id of the usual length."""
        return Reply(200, JSON, BODY, "0" * 32)

    async def refuse(self, caller: Caller, error: SecretsdError, status: int | None = None) -> Reply:
        """Nothing that this benchmark sends is to be refused."""
        raise error


@dataclass(frozen=True, slots=True)
class FixedServer:
    """Where the running server is."""

    pid: int
    socket: str
    address: tuple[str, int]


@contextlib.contextmanager
def running(path: Path) -> Iterator[FixedServer]:
    """A server on a Unix socket at `path` and on loopback, ended with the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "benchmarks.fixed_answer", str(path), str(port)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None  # a pipe was asked for
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError("cannot start the server of fixed answers")
        yield FixedServer(process.pid, str(path), ("127.0.0.1", port))
    finally:
        process.communicate(timeout=10)


async def serve(path: str, port: int) -> None:
    """Serve until standard input ends."""
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(path)
    tcp = socket.create_server(("127.0.0.1", port), backlog=512)
    unix.listen(512)
    for listening in (unix, tcp):
        Listener(listening, FixedDialect(), Limits()).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(sys.argv[1], int(sys.argv[2])))
