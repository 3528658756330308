"""Requests and responses about access keys, and about the short tokens that are got for one."""

from typing import Annotated, Literal

from msgspec import Meta

from secretsd.api.fields import Request, Response, TextValue
from secretsd.api.users import OfUser
from secretsd.domain.credentials import ACCESS_KEY_ID_PATTERN, MAX_SESSION_SECONDS

AccessKeyId = Annotated[
    str, Meta(pattern=rf"^{ACCESS_KEY_ID_PATTERN}$(?![\s\S])", description="Id of an access key; it is no secret.")
]


class CreateAccessKeyRequest(OfUser, frozen=True, kw_only=True):
    """A new access key for a user, who may have two: one in use, and one to change over to."""


class CreateAccessKeyResponse(Response, frozen=True, kw_only=True):
    """The access key; its secret is shown this once."""

    access_key: str
    secret: TextValue
    created_ms: int


class UpdateAccessKeyRequest(OfUser, frozen=True, kw_only=True):
    """Whether the access key, and the tokens that were got for it, prove anybody."""

    access_key: AccessKeyId
    active: bool


class DeleteAccessKeyRequest(OfUser, frozen=True, kw_only=True):
    """Ends an access key and the tokens that were got for it, at once on every node."""

    access_key: AccessKeyId


class ListAccessKeysRequest(OfUser, frozen=True, kw_only=True):
    """The access keys of a user, without their secrets."""


class AccessKeyDescription(Response, frozen=True, kw_only=True):
    """An access key without its secret. Its last use, by itself or a token that was got for it, may be 30 s behind."""

    access_key: str
    active: bool
    created_ms: int
    last_used_ms: int | None = None
    last_used_from: str | None = None
    last_operation: str | None = None


class ListAccessKeysResponse(Response, frozen=True, kw_only=True):
    """A user's access keys, in order of id."""

    access_keys: tuple[AccessKeyDescription, ...]


class CreateAccessTokenRequest(Request, frozen=True, kw_only=True):
    """A token for a while, for whoever shows an access key: the client credentials of OAuth 2.0 (RFC 6749 4.4).

    As HTTP Basic, or as `client_id` and `client_secret` of a form. What the token may do is what its user may; a scope
    cannot be asked for.
    """

    grant_type: Literal["client_credentials"]
    expires_in: Annotated[int, Meta(ge=1, le=MAX_SESSION_SECONDS, description="How long it is good, in seconds.")] = (
        3600
    )

    @property
    def resource_path(self) -> str:
        """The caller himself."""
        return "caller"


class CreateAccessTokenResponse(Response, frozen=True, kw_only=True):
    """The token as OAuth 2.0 answers it (RFC 6749 5.1), shown this once; `expires_in` is in seconds."""

    access_token: TextValue
    token_type: str
    expires_in: int
