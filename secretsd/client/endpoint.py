"""Where the daemon is and how the caller proves himself: from arguments or from the environment."""

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from secretsd.client.errors import ClientError
from secretsd.client.tls import TlsFiles
from secretsd.domain.sensitive import Plaintext

DEFAULT_SOCKET = Path("/run/secretsd/secretsd.sock")
_TOKEN = re.compile(rb"[\x21-\x7e]{1,16384}")  # a JWT may be long


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A Unix socket or an HTTP address, one of the two, and the bearer token if there is one; `tls` is for https alone.

    Plain HTTP goes to loopback only, because the token and the values would travel readable.
    """

    socket: Path | None = None
    address: str | None = None
    token: Plaintext | None = None
    tls: TlsFiles | None = None

    def __post_init__(self) -> None:
        if (self.socket is None) == (self.address is None):
            raise ClientError("cannot tell where the daemon is: give either a socket or an address")
        if self.address is not None:
            object.__setattr__(self, "address", _checked_address(self.address))
        if self.token is not None:
            object.__setattr__(self, "token", checked_token(self.token.reveal(), "token"))

    @classmethod
    def choose(
        cls,
        *,
        socket: str | os.PathLike[str] | None = None,
        address: str | None = None,
        token: Plaintext | None = None,
        tls: TlsFiles | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Self:
        """What was given, else what the environment says, else the socket at its usual place.

        `environment` None leaves the environment aside. Of two places given in the same way the socket wins: over it
        the daemon also sees who we are. A place that was given never mixes with one from the environment.
        """
        found = environment or {}
        if socket is None and address is None:
            socket, address = found.get("SECRETSD_SOCKET") or None, found.get("SECRETSD_ADDR") or None
        if socket is not None:
            address = None
        elif address is None:
            socket = DEFAULT_SOCKET
        if token is None and found.get("SECRETSD_TOKEN"):
            token = checked_token(os.fsencode(found["SECRETSD_TOKEN"]), "token in SECRETSD_TOKEN")
        made = cls(None if socket is None else Path(socket), address, token, tls or TlsFiles.choose(environment=found))
        if tls is not None and not made.is_https:
            raise ClientError("cannot use the files of TLS: the daemon is not reached over https")
        return made

    @property
    def is_https(self) -> bool:
        """Whether connections speak TLS."""
        return self.address is not None and self.address.startswith("https:")

    @property
    def base(self) -> str:
        """What every URL begins with; over a socket the host is only a word."""
        return self.address or "http://localhost"

    def __str__(self) -> str:
        return str(self.address or self.socket)


def checked_token(data: bytes, what: str) -> Plaintext:
    """The token without the line break that ends a file; ClientError names `what` when it cannot go into a header."""
    data = data.rstrip(b"\r\n")
    if not _TOKEN.fullmatch(data):
        raise ClientError(f"cannot use the {what}: it is not 1 to 16384 visible ASCII characters")
    return Plaintext(data)


def _checked_address(address: str) -> str:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ClientError("cannot use the address: its form is http://HOST:PORT") from None
    if parts.username is not None or parts.password is not None:
        raise ClientError("cannot use the address: it holds a user name or a password")
    if parts.scheme not in ("http", "https") or not host or parts.path.strip("/") or parts.query or parts.fragment:
        raise ClientError("cannot use the address: its form is http://HOST:PORT")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ClientError("cannot use the address: plain HTTP goes to loopback only, other hosts need https")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port is not None else "")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
