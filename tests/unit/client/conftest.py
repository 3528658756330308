"""A daemon of a few lines: it records what arrives and answers what the test says, over a Unix socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Seen:
    """A request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class FakeDaemon:
    """Answers from `answers` in order, the last one for ever; an answer of None breaks the connection instead."""

    socket: Path
    seen: list[Seen] = field(default_factory=list)
    answers: list[bytes | None] = field(default_factory=list)
    connections: int = 0
    hold: asyncio.Event | None = None

    def reply(self, status: int, document: Any, **headers: str) -> bytes:
        """The bytes of an answer with a JSON document."""
        body = json.dumps(document).encode()
        kind = "application/json" if status < 300 else "application/problem+json"
        lines = [f"HTTP/1.1 {status} Word", f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + body

    def problem(self, status: int, kind: str, **headers: str) -> bytes:
        """The bytes of a refusal."""
        return self.reply(status, {"kind": kind, "detail": f"cannot: {kind}", "request_id": "ab" * 16}, **headers)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                first, *rest = head.split("\r\n")
                method, target, _ = first.split(" ")
                headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in rest if line)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.seen.append(Seen(method, target, headers, body))
                if self.hold is not None:
                    await self.hold.wait()
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[FakeDaemon]:
    fake = FakeDaemon(tmp_path / "s.sock")
    server = await asyncio.start_unix_server(fake.serve, fake.socket)
    yield fake
    server.close()


@pytest.fixture
def value() -> Callable[..., dict[str, Any]]:
    """The document of a GetSecretValue answer."""

    def made(text: str = "canary-value", **more: Any) -> dict[str, Any]:
        return {
            "name": "prod/db/app",
            "version_id": "v1",
            "number": 1,
            "stages": ["current"],
            "created_ms": 1,
            "text": text,
            **more,
        }

    return made
