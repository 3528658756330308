"""Requests and responses about enrolment: how a new host gets a token of its own, without one that others know."""

from typing import Annotated

from msgspec import Meta

from secretsd.api.fields import Milliseconds, Request, Response, TextValue, Word
from secretsd.api.users import OfUser
from secretsd.domain.networks import NETWORK_PATTERN

Network = Annotated[
    str,
    Meta(pattern=NETWORK_PATTERN, description="Addresses, such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/48."),
]


class CreateEnrolmentTokenRequest(OfUser, frozen=True, kw_only=True):
    """A token that is good for one thing, once: to become a bearer token of the user, by EnrolHost.

    `ttl_seconds` is how long it waits for that, `token_seconds` how long the token is good that it becomes. Where
    `network` is given, both are good from there alone, over TCP. It is part of where the caller's own proof is good
    from, which counts without it.
    """

    ttl_seconds: Annotated[int, Meta(ge=1, le=3600)] = 600
    token_seconds: Annotated[int, Meta(ge=60, le=366 * 24 * 3600)] = 90 * 24 * 3600
    network: Network | None = None


class CreateEnrolmentTokenResponse(Response, frozen=True, kw_only=True):
    """The enrolment token, shown this once; only its digest is stored."""

    id: str
    token: TextValue
    expires_ms: Milliseconds
    network: str | None = None


class EnrolHostRequest(Request, frozen=True, kw_only=True):
    """Asked with an enrolment token, which ends with it."""

    @property
    def resource_path(self) -> str:
        """The enrolment of whoever the token is for."""
        return "enrolment"


class EnrolHostResponse(Response, frozen=True, kw_only=True):
    """The token that is the host's own from now on, shown this once."""

    account: str
    user: Word
    id: str
    token: TextValue
    expires_ms: Milliseconds
    network: str | None = None
