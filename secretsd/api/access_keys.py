"""Requests and responses about access keys, and about the short tokens that they are turned into."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from secretsd.api.fields import Request, Response, TextValue
from secretsd.api.users import OfUser
from secretsd.domain.credentials import ACCESS_KEY_PREFIX, DEFAULT_TOKEN_SECONDS, MAX_TOKEN_SECONDS

AccessKeyId = Annotated[
    str, Meta(pattern=rf"^{ACCESS_KEY_PREFIX}[A-Z2-7]{{16}}$(?![\s\S])", description="The id of an access key.")
]


class CreateAccessKeyRequest(OfUser, frozen=True, kw_only=True):
    """An access key for a user, who may have two: one in use, one to change over to."""


class CreateAccessKeyResponse(Response, frozen=True, kw_only=True):
    """The access key. Its secret is shown this once."""

    id: str
    secret: TextValue
    user: str
    created_ms: int


class ListAccessKeysRequest(OfUser, frozen=True, kw_only=True):
    """The access keys of a user, without their secrets."""


class AccessKeyDescription(Response, frozen=True, kw_only=True):
    """An access key without its secret. Times in milliseconds since 1970."""

    id: str
    user: str
    active: bool
    created_ms: int


class ListAccessKeysResponse(Response, frozen=True, kw_only=True):
    """A user's access keys, in order of id."""

    access_keys: tuple[AccessKeyDescription, ...]


class UpdateAccessKeyRequest(OfUser, frozen=True, kw_only=True):
    """Switches an access key off, and the tokens that were got by it, or on again."""

    access_key: AccessKeyId
    active: bool


class DeleteAccessKeyRequest(OfUser, frozen=True, kw_only=True):
    """Ends an access key and the tokens that were got by it, at once on every node."""

    access_key: AccessKeyId


class CreateAccessTokenRequest(Request, frozen=True, kw_only=True):
    """A short bearer token in place of an access key, which proves the caller here: OAuth 2.0, RFC 6749, 4.4.

    Id and secret come as HTTP Basic credentials, the rest as a form or as JSON.
    """

    takes_form: ClassVar[bool] = True

    grant_type: Literal["client_credentials"]
    expires_in: Annotated[int, Meta(ge=60, le=MAX_TOKEN_SECONDS, description="Seconds.")] = DEFAULT_TOKEN_SECONDS

    @property
    def resource_path(self) -> str:
        """Every token is the caller's own."""
        return "token/*"


class CreateAccessTokenResponse(Response, frozen=True, kw_only=True):
    """The token, shown this once, as RFC 6749, 5.1 has it; `expires_in` in seconds."""

    access_token: TextValue
    token_type: str
    expires_in: int
