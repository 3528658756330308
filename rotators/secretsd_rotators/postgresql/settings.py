"""What operators say about a server, and what accounts say about their passwords."""

import math
import string
from ipaddress import ip_address
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from secretsd.domain.errors import InvalidRequest

ALPHABET = string.ascii_letters + string.digits
MIN_BITS = 128
_FUNCTION = r"^[a-z_][a-z0-9_]{0,62}\.[a-z_][a-z0-9_]{0,62}$(?![\s\S])"


class PostgreSQLAddress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a server is and how it proves itself."""

    host: Annotated[str, Meta(min_length=1, max_length=253, description="Host name, address, or socket directory.")]
    port: Annotated[int, Meta(ge=1, le=65535, description="TCP port, or the socket's number.")] = 5432
    database: Annotated[str, Meta(min_length=1, max_length=63, description="Database to log in to.")] = "postgres"
    tls: Annotated[
        Literal["verify-full", "off"],
        Meta(description="`off` is for loopback addresses and Unix sockets only."),
    ] = "verify-full"
    ca: (
        Annotated[
            str,
            Meta(max_length=64 * 1024, description="PEM certificates of the CA; null trusts those of the system."),
        ]
        | None
    ) = None
    function: (
        Annotated[
            str,
            Meta(
                pattern=_FUNCTION,
                description="schema.name of a SECURITY DEFINER function (login text, verifier text) to change by.",
            ),
        ]
        | None
    ) = None
    connect_seconds: Annotated[int, Meta(ge=1, le=30, description="The longest wait for a connection.")] = 5

    def __post_init__(self) -> None:
        """Refuses a way on which a server could not prove itself."""
        if self.tls == "off" and not self.local:
            raise InvalidRequest("cannot use the address: without TLS only loopback and Unix sockets are reached")
        if self.tls == "off" and self.ca is not None:
            raise InvalidRequest("cannot use the address: a CA has no effect without TLS")

    @property
    def local(self) -> bool:
        """True where nobody is in between."""
        if self.host.startswith("/"):
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


class PostgreSQLSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the password is made and how the value is written."""

    length: Annotated[int, Meta(ge=8, le=256, description="Characters of the password.")] = 32
    exclude_characters: Annotated[
        str, Meta(max_length=62, description="Letters and digits that must not occur, such as 0O1lI.")
    ] = ""
    format: Annotated[
        Literal["json", "password"],
        Meta(description="`json` holds host, port, database, username and password; `password` is that alone."),
    ] = "json"

    def __post_init__(self) -> None:
        """Refuses what could be guessed: a verifier that leaks must be worth nothing."""
        if len(self.alphabet) < 2 or self.length * math.log2(len(self.alphabet)) < MIN_BITS:
            raise InvalidRequest(f"cannot use the settings: the password would have less than {MIN_BITS} bits")

    @property
    def alphabet(self) -> str:
        """The characters that may occur."""
        return "".join(character for character in ALPHABET if character not in self.exclude_characters)
