"""Requests and responses about token issuers, which belong to the operator: whose JWTs prove who is calling."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from secretsd.api.fields import Limit, Milliseconds, PageToken, Request, Response, Word
from secretsd.api.targets import AccountId
from secretsd.domain.names import SYSTEM_ACCOUNT
from secretsd.domain.token_claims import CLAIM_PATTERN, MAX_VALUE_LENGTH

_TEXT = r"^[^\x00-\x20\x7f]{1,512}$(?![\s\S])"
Issuer = Annotated[
    str, Meta(pattern=_TEXT, description="What the tokens' `iss` says, to the letter, such as https://gitlab.com.")
]
Audience = Annotated[str, Meta(pattern=_TEXT, description="What the tokens' `aud` is, or holds, to the letter.")]
Keys = Annotated[str, Meta(min_length=2, max_length=65_536, description="A JWKS (RFC 7517) as JSON text; public keys.")]
KeysURL = Annotated[
    str, Meta(pattern=_TEXT, description="Where the JWKS is fetched from, https://…; no redirect is followed.")
]
Claim = Annotated[
    str,
    Meta(
        pattern=CLAIM_PATTERN,
        max_length=1024,
        description="A claim: its name at the top of the token (`sub`), or a JSON Pointer (RFC 6901) to one that lies "
        "deeper (`/kubernetes.io/serviceaccount/name`).",
    ),
]
Claims = Annotated[
    tuple[Claim, ...], Meta(min_length=1, max_length=8, description="The claims that make up the proof, in that order.")
]
Required = Annotated[
    Mapping[Claim, Annotated[str, Meta(min_length=1, max_length=MAX_VALUE_LENGTH)]],
    Meta(max_length=16, description="Claims that a token must have, with the value of each."),
]


class _OfSystem(Request, frozen=True, kw_only=True):
    @property
    def resource_account(self) -> str:
        """Token issuers belong to the operator, whoever asks (SECURITY 14)."""
        return SYSTEM_ACCOUNT


class OfTokenIssuer(_OfSystem, frozen=True, kw_only=True):
    """A request about one token issuer."""

    token_issuer: Word

    @property
    def resource_path(self) -> str:
        """The token issuer."""
        return f"token-issuer/{self.token_issuer}"


class CreateTokenIssuerRequest(OfTokenIssuer, frozen=True, kw_only=True):
    """Who signs JWTs for an account. Either `keys` or `keys_url` says with which keys.

    A good token proves `jwt:<token issuer>/<claim>=<value>,…`, which the account binds to a user or role of its own.
    Issuer and audience together belong to one account only.
    """

    account: AccountId
    issuer: Issuer
    audience: Audience
    claims: Claims = ("sub",)
    required: Required = msgspec.field(default_factory=dict)
    keys: Keys | None = None
    keys_url: KeysURL | None = None


class DescribeTokenIssuerRequest(OfTokenIssuer, frozen=True, kw_only=True):
    """All about a token issuer."""


class UpdateTokenIssuerRequest(OfTokenIssuer, frozen=True, kw_only=True):
    """What is not given stays. New `keys` take the place of `keys_url`, and the other way round.

    Account and issuer never change: what the account has bound would lead others to its users.
    """

    audience: Audience | None = None
    claims: Claims | None = None
    required: Required | None = None
    keys: Keys | None = None
    keys_url: KeysURL | None = None


class DeleteTokenIssuerRequest(OfTokenIssuer, frozen=True, kw_only=True):
    """Takes a token issuer away, once nothing of its account is bound to what its tokens prove."""


class ListTokenIssuersRequest(_OfSystem, frozen=True, kw_only=True):
    """Token issuers, in order of name."""

    limit: Limit = 100
    next_token: PageToken | None = None

    @property
    def resource_path(self) -> str:
        """All token issuers."""
        return "token-issuer/*"


class TokenIssuerDescription(Response, frozen=True, kw_only=True):
    """A token issuer; `keys` or `keys_url` is missing.

    Of a URL, `keys_fetched_seconds` is how long ago the worker that answers fetched the keys it uses, missing for
    never, and `keys_problem` what went wrong there last.
    """

    token_issuer: str
    resource: str
    account: str
    issuer: str
    audience: str
    claims: tuple[str, ...]
    created_ms: Milliseconds
    required: Mapping[str, str] = msgspec.field(default_factory=dict)
    keys: str | None = None
    keys_url: str | None = None
    keys_fetched_seconds: int | None = None
    keys_problem: str | None = None


class ListTokenIssuersResponse(Response, frozen=True, kw_only=True):
    """A page of token issuers."""

    token_issuers: tuple[TokenIssuerDescription, ...]
    next_token: str | None = None


class TokenIssuerDeletedResponse(Response, frozen=True, kw_only=True):
    """The token issuer that is gone."""

    token_issuer: str
