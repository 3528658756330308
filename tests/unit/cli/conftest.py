"""secretsctl run in this process against a client that records its calls, with its streams in the test's hand."""

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from secretsd.cli import secretsctl
from secretsd.client import Client
from secretsd.client.connections import Connections
from secretsd.client.messages import Incoming, Outgoing


@dataclass
class Wire:
    """Takes the place of the connections: what was sent, and what is answered to each operation."""

    sent: list[Outgoing] = field(default_factory=list)
    answers: dict[str, list[Incoming | Exception]] = field(default_factory=dict)

    def answer(self, operation: str, document: Any, status: int = 200) -> None:
        kind = "application/json" if status == 200 else "application/problem+json"
        incoming = Incoming(status, {"Content-Type": kind}, json.dumps(document).encode())
        self.answers.setdefault(operation, []).append(incoming)

    def refuse(self, operation: str, status: int, kind: str) -> None:
        self.answer(operation, {"kind": kind, "detail": f"cannot: {kind}", "request_id": "ab" * 16}, status)

    def exchange(self, outgoing: Outgoing) -> Incoming:
        self.sent.append(outgoing)
        answers = self.answers[outgoing.operation]
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(found, Exception):
            raise found
        return found

    def body(self, operation: str) -> dict[str, Any]:
        """The JSON body of the operation's last call."""
        found: dict[str, Any] = json.loads(next(one.body for one in reversed(self.sent) if one.operation == operation))
        return found


@dataclass
class Outcome:
    """What a command left behind."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    found = Wire()

    async def exchange(self: Connections, outgoing: Outgoing) -> Incoming:
        return found.exchange(outgoing)

    monkeypatch.setattr(Connections, "exchange", exchange)
    for name in ("SECRETSD_SOCKET", "SECRETSD_ADDR", "SECRETSD_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return found


@pytest.fixture
def ctl(wire: Wire, capfdbinary: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Runs one command line; `stdin` is what it reads."""

    def run(*arguments: str, stdin: bytes = b"") -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = secretsctl.run(arguments)
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return Outcome(code, out, err.decode())

    return run


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> list[Client]:
    """Every client that a command made."""
    found: list[Client] = []
    before = Client.__init__

    def made(self: Client, **options: Any) -> None:
        before(self, **options)
        found.append(self)

    monkeypatch.setattr(Client, "__init__", made)
    return found
