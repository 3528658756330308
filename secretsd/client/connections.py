"""Kept-alive connections to one daemon, over its Unix socket or HTTP: one exchange in, one answer out."""

import os
from typing import TYPE_CHECKING, Any

from secretsd import __version__
from secretsd.client.endpoint import Endpoint
from secretsd.client.errors import ClientError, DaemonUnavailable, UnreadableAnswer
from secretsd.client.messages import Incoming, Outgoing
from secretsd.client.tls import ClientTls, TlsFiles

if TYPE_CHECKING:
    import ssl

    import aiohttp

MAX_ANSWER_BYTES = 32 * 1024 * 1024
"""Far above the largest page of anything; what is longer does not come from our daemon."""


EVENT_STREAM = "text/event-stream"


class OpenAnswer:
    """An answer that goes on; it has a connection to itself, which closes with it."""

    def __init__(self, response: "aiohttp.ClientResponse") -> None:
        self._response = response

    async def read(self) -> bytes:
        """What came next, waited for; empty when the connection has ended, however that was."""
        import aiohttp

        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, OSError):
            return b""

    def close(self) -> None:
        """Read no more."""
        self._response.close()


class Connections:
    """At most `limit` connections, opened when they are needed; 0 is no limit. Belongs to the event loop of its first
    exchange."""

    def __init__(self, endpoint: Endpoint, limit: int) -> None:
        self._endpoint = endpoint
        self._limit = limit
        self._session: aiohttp.ClientSession | None = None
        self._tls = ClientTls(endpoint.tls or TlsFiles()) if endpoint.is_https else None
        self._context: ssl.SSLContext | None = None
        self._before: aiohttp.ClientSession | None = None

    async def exchange(self, outgoing: Outgoing) -> Incoming:
        """Send once and read the whole answer. A broken connection raises DaemonUnavailable, which says if it was sent.

        The HTTP library's errors carry the request with its token, so they end here: ours are raised outside of its
        `except`, where nothing of theirs hangs on them.
        """
        import aiohttp

        failure: ClientError
        await self._renew()
        try:
            async with self._request(outgoing, "application/json") as response:
                body = await _read(response)
                if body is not None:
                    return Incoming(response.status, response.headers, body)
            failure = UnreadableAnswer(
                f"cannot read the answer to {outgoing.operation}: it is longer than {MAX_ANSWER_BYTES} bytes"
            )
        except (aiohttp.ClientError, OSError) as error:
            failure = self._unavailable(outgoing, error)
        raise failure

    async def open(self, outgoing: Outgoing) -> "OpenAnswer | Incoming":
        """Send once and read the head of an answer that goes on; any other answer is read whole. Errors as above."""
        import aiohttp

        response: aiohttp.ClientResponse | None = None
        await self._renew()
        try:
            response = await self._request(outgoing, EVENT_STREAM)
            if response.status == 200 and response.content_type == EVENT_STREAM:
                return OpenAnswer(response)
            return Incoming(response.status, response.headers, await _read(response) or b"")
        except (aiohttp.ClientError, OSError) as error:
            failure = self._unavailable(outgoing, error)
        except BaseException:
            if response is not None:
                response.close()
            raise
        raise failure

    def _request(self, outgoing: Outgoing, accept: str) -> Any:
        """aiohttp's own request, to be entered or awaited."""
        from yarl import URL

        headers = {"Accept": accept} | ({"Content-Type": "application/json"} if outgoing.body else {})
        if self._endpoint.token is not None:
            headers["Authorization"] = f"Bearer {self._endpoint.token.reveal().decode('ascii')}"
        return (self._session or self._start()).request(
            outgoing.method,
            # Exactly as it is: normalised or escaped once more, a path would mean another name.
            URL(self._endpoint.base + outgoing.target, encoded=True),
            data=outgoing.body or None,
            headers=headers,
            allow_redirects=False,
        )

    async def _renew(self) -> None:
        """Leave the connections behind that were made with files of before; calls that are under way there go on.

        The daemon looks at a certificate with each call, so on an old connection it would soon be over.
        """
        context = None if self._tls is None else self._tls.renewed()
        if context is None:
            return
        self._context = context
        before, self._before, self._session = self._before, self._session, None
        if before is not None:
            await before.close()

    def _unavailable(self, outgoing: Outgoing, error: Exception) -> ClientError:
        import aiohttp

        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            reason = getattr(error.certificate_error, "verify_message", "") or "it is not for that host"
            return ClientError(f"cannot trust the daemon at {self._endpoint}: its certificate is refused, {reason}")
        if isinstance(error, aiohttp.ClientConnectorSSLError):
            return DaemonUnavailable(f"cannot agree on TLS with the daemon at {self._endpoint}", sent=False)
        if isinstance(error, aiohttp.ClientConnectorError):
            return DaemonUnavailable(
                f"cannot reach the daemon at {self._endpoint}: {_reason(error.os_error)}", sent=False
            )
        # A certificate that no authority of the daemon's signed ends the connection without a word.
        hint = "; it may not accept the client certificate" if self._tls is not None and self._tls.shows else ""
        return DaemonUnavailable(
            f"cannot tell what became of {outgoing.operation}: the connection to {self._endpoint} broke{hint}",
            sent=True,
        )

    async def close(self) -> None:
        """Close all connections; a later exchange opens new ones."""
        sessions = self._session, self._before
        self._session = self._before = None
        for session in sessions:
            if session is not None:
                await session.close()

    def _start(self) -> "aiohttp.ClientSession":
        import aiohttp

        connector: aiohttp.BaseConnector
        if self._endpoint.socket is not None:
            connector = aiohttp.UnixConnector(os.fspath(self._endpoint.socket), limit=self._limit)
        else:
            connector = aiohttp.TCPConnector(limit=self._limit, ssl=self._context or True)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),  # the client's deadline covers all tries together
            auto_decompress=False,
            trust_env=False,  # neither a proxy nor somebody's .netrc has a place between us and the daemon
            headers={"User-Agent": f"secretsd-client/{__version__}"},
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
