"""How the commands reach the daemon: the options before the command, else the environment, else the usual socket."""

import os
import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import typer

from secretsd.client.errors import ClientError
from secretsd.domain.sensitive import Plaintext

if TYPE_CHECKING:
    from secretsd.client import Client

Result = TypeVar("Result")
MAX_TOKEN_FILE_BYTES = 16 * 1024 + 2


@dataclass(frozen=True, slots=True)
class Reach:
    """What was said before the command."""

    socket: str | None
    address: str | None
    token_file: str | None
    deadline_seconds: float
    ca_file: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None

    def client(self) -> "Client":
        """A new client."""
        from secretsd.client import Client, TlsFiles

        files = self.ca_file, self.client_certificate, self.client_key
        return Client(
            socket=self.socket,
            address=self.address,
            token=None if self.token_file is None else read_token(self.token_file),
            tls=TlsFiles.choose(*files, os.environ) if any(files) else None,
            deadline_seconds=self.deadline_seconds,
            environment=os.environ,
        )

    def run(self, use: Callable[["Client"], Awaitable[Result]]) -> Result:
        """The result of one use of a client that lives for this command only."""
        import asyncio

        client = self.client()

        async def used() -> Result:
            async with client:
                return await use(client)

        return asyncio.run(used())


def reach(ctx: typer.Context) -> Reach:
    """The reach that the callback of the program left in the context."""
    found = ctx.find_object(Reach)
    if found is None:
        raise ClientError("cannot run the command by itself: it belongs to secretsctl")
    return found


def read_token(path: str) -> Plaintext:
    """The token in a file that nobody else may read; ClientError names the file."""
    try:
        with open(path, "rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            data = file.read(MAX_TOKEN_FILE_BYTES)
    except OSError as error:
        reason = error.strerror
    else:
        if mode & 0o077:
            raise ClientError(
                f"cannot use the token file {path}: others may use it too (mode {mode:04o}); chmod 600 it"
            )
        return Plaintext(data.rstrip(b"\r\n"))
    raise ClientError(f"cannot read the token file {path}: {reason}")
