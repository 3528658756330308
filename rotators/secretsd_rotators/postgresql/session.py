"""One connection to a server, over libpq's asynchronous interface: what is sent is exactly what stands in the code.

Every wait has a deadline, and past it the connection is simply closed: a driver that first asks a dead server to
cancel would wait for it once more.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

import psycopg
from psycopg import pq

from secretsd_rotators.postgresql.connecting import connect, ready
from secretsd_rotators.postgresql.failures import ConnectionLost, ServerError
from secretsd_rotators.postgresql.settings import PostgreSQLAddress
from secretsd_rotators.postgresql.values import Credential

QUERY_SECONDS = 8.0
Row = tuple[str | None, ...]


class Session:
    """Use `async with await Session.open(…)`. Statements run one at a time."""

    def __init__(self, connection: pq.abc.PGconn) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, address: PostgreSQLAddress, who: Credential, application_name: str) -> Self:
        """A connection that proved itself and us by SCRAM alone. Refused; RotationFailed where it cannot be had."""
        return cls(await connect(address, who, application_name))

    async def rows(self, statement: str, *parameters: str | None) -> list[Row]:
        """The rows of one statement, as text. ServerError, ConnectionLost."""
        values = [None if value is None else value.encode() for value in parameters]
        return await self._exchange(lambda: self._connection.send_query_params(statement.encode(), values))

    async def run(self, statements: str) -> list[Row]:
        """Statements as one simple-query message; the rows of the last. ServerError of the first that fails."""
        return await self._exchange(lambda: self._connection.send_query(statements.encode()))

    def literal(self, text: str) -> str:
        """The text as a literal, for statements that take no parameters."""
        return pq.Escaping(self._connection).escape_literal(text.encode()).decode()

    def verifier(self, who: Credential) -> str:
        """A new verifier of any password, prepared as libpq prepares it for a login (SASLprep)."""
        password, login = who.password.reveal(), who.login.encode()
        return self._connection.encrypt_password(password, login, b"scram-sha-256").decode()

    def identifier(self, name: str) -> str:
        """The name as an identifier."""
        return pq.Escaping(self._connection).escape_identifier(name.encode()).decode()

    @property
    def server_version(self) -> int:
        """The major version."""
        return self._connection.server_version // 10_000

    def close(self) -> None:
        """Hang up; never waits."""
        self._connection.finish()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def _exchange(self, send: Callable[[], None]) -> list[Row]:
        """Send, and the rows of the last result. A connection that failed is closed: nothing may follow on it."""
        try:
            async with asyncio.timeout(QUERY_SECONDS):
                send()
                results = await self._results()
        except (TimeoutError, psycopg.OperationalError, OSError):
            self.close()
            raise ConnectionLost from None
        if not results:
            return []
        rows = results[-1]
        return [tuple(_text(rows, at, column) for column in range(rows.nfields)) for at in range(rows.ntuples)]

    async def _results(self) -> list[pq.abc.PGresult]:
        """All results of what was sent. ServerError of the first that is one, once the server is done with it."""
        connection, found, failed = self._connection, [], ""
        while connection.flush():
            await ready(connection.socket, pq.PollingStatus.WRITING)
        while True:
            while connection.is_busy():
                await ready(connection.socket, pq.PollingStatus.READING)
                connection.consume_input()
            result = connection.get_result()
            if result is None:
                break
            if result.status == pq.ExecStatus.FATAL_ERROR:
                failed = failed or (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
                if connection.status == pq.ConnStatus.BAD:
                    raise psycopg.OperationalError  # ended while it was asked, whatever it said last
            found.append(result)
        if failed:
            raise ServerError(failed)
        return found


def _text(result: pq.abc.PGresult, row: int, column: int) -> str | None:
    value = result.get_value(row, column)
    return None if value is None else value.decode()
