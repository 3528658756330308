"""JWKS documents by https: one GET, bounded in time and size, that follows nowhere and sends nothing of ours along."""

import asyncio
import ssl
from ipaddress import ip_address

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from yarl import URL

from secretsd.ports.issuer_keys import KeysUnavailable

FETCH_SECONDS = 5.0
MAX_DOCUMENT_BYTES = 256 * 1024
MAX_URL_LENGTH = 2048
OK = 200


class JwksFetcher:
    """`ca_file` holds the authorities to trust in PEM; None takes the host's own, as other programs on it do.

    `plain_loopback` also lets http through to an address of this host, for development: whoever may listen there says
    who everybody is.
    """

    def __init__(
        self, ca_file: str | None = None, *, plain_loopback: bool = False, seconds: float = FETCH_SECONDS
    ) -> None:
        self._ca_file = ca_file
        self._plain_loopback = plain_loopback
        self._timeout = ClientTimeout(total=seconds)

    def refusal(self, url: str) -> str | None:
        """See the port."""
        try:
            parsed = URL(url)
        except ValueError:
            return "it is no URL"
        if len(url) > MAX_URL_LENGTH or not url.isascii() or not url.isprintable() or not parsed.host or " " in url:
            return "it is no URL"
        if parsed.user is not None or parsed.password is not None or "#" in url:
            return "it holds a user, a password or a fragment"
        if parsed.scheme == "https":
            return None
        if parsed.scheme == "http" and self._plain_loopback and _is_loopback(parsed.host):
            return None
        return "it does not begin with https://"

    async def fetch(self, url: str) -> bytes:
        """See the port. A redirect is not followed: it could lead to another host, whose keys nobody asked for."""
        if (refusal := self.refusal(url)) is not None:
            raise KeysUnavailable(refusal)
        connector = TCPConnector(ssl=self._trusted(), limit=1, force_close=True)
        try:
            async with (
                ClientSession(
                    connector=connector, timeout=self._timeout, cookie_jar=DummyCookieJar(), auto_decompress=False
                ) as session,
                session.get(
                    URL(url),
                    allow_redirects=False,
                    headers={"Accept": "application/jwk-set+json, application/json", "Accept-Encoding": "identity"},
                ) as answer,
            ):
                if answer.status != OK:
                    raise KeysUnavailable(f"the answer is {answer.status}")
                if answer.headers.get("Content-Encoding", "identity") != "identity":
                    raise KeysUnavailable("the answer is packed")
                document = b""
                async for part in answer.content.iter_any():
                    document += part
                    if len(document) > MAX_DOCUMENT_BYTES:
                        raise KeysUnavailable(f"the answer is over {MAX_DOCUMENT_BYTES} bytes")
                return document
        except TimeoutError:
            raise KeysUnavailable("it takes too long") from None
        except (ClientError, OSError, ValueError, asyncio.IncompleteReadError) as error:
            raise KeysUnavailable(f"it cannot be reached ({type(error).__name__})") from None

    def _trusted(self) -> ssl.SSLContext:
        """Read anew each time, so that authorities may change on disk; KeysUnavailable where the file is no use."""
        try:
            context = ssl.create_default_context(cafile=self._ca_file)
        except OSError:
            raise KeysUnavailable("the authorities of token_issuers.ca_file cannot be read") from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


def _is_loopback(host: str) -> bool:
    """Whether it is a loopback address as such: what a name leads to is somebody else's word."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
