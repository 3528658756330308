"""Watches by hand: bytes as they are sent, events as they come."""

import contextlib
import json
from collections.abc import Iterator

from secretsd.testing.daemon import Daemon
from tests.acceptance.wire import Wire


class Stream:
    """A watch by hand: its head, and its events one by one."""

    def __init__(self, wire: Wire, *names: str, token: str = "", last: str = "") -> None:
        self.wire = wire
        lines = [f"GET /v1/secrets:watch?{'&'.join(f'names={name}' for name in names)} HTTP/1.1", "Host: a"]
        lines += [f"Authorization: Bearer {token}"] * bool(token) + [f"Last-Event-ID: {last}"] * bool(last)
        wire.send("\r\n".join([*lines, "", ""]).encode())
        self._file = wire.socket.makefile("rb")
        first, *rest = self._until(b"\r\n")
        self.status = int(first.split()[1])
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
        self.id = ""

    def event(self) -> tuple[str, dict[str, object]]:
        """The kind of the next event and its data; EOFError at the end. Signs of life are passed over."""
        while True:
            fields = dict(line.split(": ", 1) for line in self._until(b"\n") if not line.startswith(":"))
            self.id = fields.get("id", self.id)
            if "event" in fields:
                return fields["event"], json.loads(fields["data"])

    def _until(self, end: bytes) -> list[str]:
        lines: list[str] = []
        while line := self._file.readline():
            if line == end:
                return lines
            lines.append(line.decode().removesuffix(end.decode()))
        raise EOFError


@contextlib.contextmanager
def watching(daemon: Daemon, *names: str, token: str = "", last: str = "") -> Iterator[Stream]:
    with Wire(daemon, tcp=bool(token)) as wire:
        yield Stream(wire, *names, token=token, last=last)
