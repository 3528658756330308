"""Kept-alive connections to one daemon, over its Unix socket or HTTP: one exchange in, one answer out."""

import os
from typing import TYPE_CHECKING

from secretsd import __version__
from secretsd.client.endpoint import Endpoint
from secretsd.client.errors import DaemonUnavailable, UnreadableAnswer
from secretsd.client.messages import Incoming, Outgoing

if TYPE_CHECKING:
    import aiohttp

MAX_ANSWER_BYTES = 32 * 1024 * 1024
"""Far above the largest page of anything; what is longer does not come from our daemon."""


class Connections:
    """At most `limit` connections, opened when they are needed. Belongs to the event loop of its first exchange."""

    def __init__(self, endpoint: Endpoint, limit: int) -> None:
        self._endpoint = endpoint
        self._limit = limit
        self._session: aiohttp.ClientSession | None = None

    async def exchange(self, outgoing: Outgoing) -> Incoming:
        """Send once and read the whole answer. A broken connection raises DaemonUnavailable, which says if it was sent.

        The HTTP library's errors carry the request with its token, so they end here: ours are raised outside of its
        `except`, where nothing of theirs hangs on them.
        """
        import aiohttp
        from yarl import URL

        session = self._session or self._open()
        headers = {"Content-Type": "application/json"} if outgoing.body else {}
        if self._endpoint.token is not None:
            headers["Authorization"] = f"Bearer {self._endpoint.token.reveal().decode('ascii')}"
        try:
            async with session.request(
                outgoing.method,
                # Exactly as it is: normalised or escaped once more, a path would mean another name.
                URL(self._endpoint.base + outgoing.target, encoded=True),
                data=outgoing.body or None,
                headers=headers,
                allow_redirects=False,
            ) as response:
                body = await _read(response)
                if body is not None:
                    return Incoming(response.status, response.headers, body)
            failure: DaemonUnavailable | UnreadableAnswer = UnreadableAnswer(
                f"cannot read the answer to {outgoing.operation}: it is longer than {MAX_ANSWER_BYTES} bytes"
            )
        except aiohttp.ClientConnectorError as error:
            failure = DaemonUnavailable(
                f"cannot reach the daemon at {self._endpoint}: {_reason(error.os_error)}", sent=False
            )
        except (aiohttp.ClientError, OSError):
            failure = DaemonUnavailable(
                f"cannot tell what became of {outgoing.operation}: the connection to {self._endpoint} broke", sent=True
            )
        raise failure

    async def close(self) -> None:
        """Close all connections; a later exchange opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> "aiohttp.ClientSession":
        import aiohttp

        connector: aiohttp.BaseConnector
        if self._endpoint.socket is not None:
            connector = aiohttp.UnixConnector(os.fspath(self._endpoint.socket), limit=self._limit)
        else:
            connector = aiohttp.TCPConnector(limit=self._limit)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),  # the client's deadline covers all tries together
            auto_decompress=False,
            trust_env=False,  # neither a proxy nor somebody's .netrc has a place between us and the daemon
            headers={"User-Agent": f"secretsd-client/{__version__}", "Accept": "application/json"},
        )
        # aiohttp silently sends PUT and DELETE again when a kept connection breaks; what is repeated is ours to decide.
        self._session._retry_connection = False
        return self._session


async def _read(response: "aiohttp.ClientResponse") -> bytes | None:
    """The body, or None when it is longer than an answer of ours can be."""
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            response.close()
            return None
    return b"".join(parts)


def _reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else "no connection"
