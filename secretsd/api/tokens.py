"""Requests and responses about bearer tokens."""

from typing import Annotated

from msgspec import Meta

from secretsd.api.fields import Limit, PageToken, Response, TextValue, Word
from secretsd.api.users import OfUser


class CreateTokenRequest(OfUser, frozen=True, kw_only=True):
    """A bearer token for a user. Without a time to live it is good until it is deleted."""

    ttl_seconds: Annotated[int, Meta(ge=1, le=10 * 366 * 24 * 3600)] | None = None


class CreateTokenResponse(Response, frozen=True, kw_only=True):
    """The token, shown this once; only its digest is stored.

    `network` is where it is good from: what the caller showed is good from there alone.
    """

    id: str
    token: TextValue
    expires_ms: int | None = None
    network: str | None = None


class DeleteTokenRequest(OfUser, frozen=True, kw_only=True):
    """Ends a token, at once on every node."""

    id: Word


class ListTokensRequest(OfUser, frozen=True, kw_only=True):
    """Tokens of a user, in order of id, without what proves them."""

    limit: Limit = 100
    next_token: PageToken | None = None


class TokenDescription(Response, frozen=True, kw_only=True):
    """A token without what proves it. `access_key` is the one that it was got for; its uses count as those of the key.

    An `enrolment` token becomes another one and does nothing else. From outside of `network` it is not good. The last
    use may be 30 seconds behind.
    """

    id: str
    created_ms: int
    expires_ms: int | None = None
    access_key: str | None = None
    last_used_ms: int | None = None
    last_used_from: str | None = None
    last_operation: str | None = None
    enrolment: bool = False
    network: str | None = None


class ListTokensResponse(Response, frozen=True, kw_only=True):
    """A page of tokens."""

    tokens: tuple[TokenDescription, ...]
    next_token: str | None = None
