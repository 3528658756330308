"""Requests and responses about grants: named operations on a key for one principal, revocable and usable at once."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from secretsd.api.cryptography import Context
from secretsd.api.fields import Limit, Milliseconds, PageToken, Request, Response
from secretsd.api.keys import OfKey

GrantedOperation = Literal[
    "Encrypt",
    "Decrypt",
    "ReEncryptFrom",
    "ReEncryptTo",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "ExportDataKey",
    "GenerateAndExportDataKey",
    "Sign",
    "Verify",
    "GenerateMac",
    "VerifyMac",
    "GetPublicKey",
    "DescribeKey",
    "CreateGrant",
    "RetireGrant",
]
"""The members of `domain.grants.GRANT_OPERATIONS`; a test keeps the two alike."""
GrantId = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?![\s\S])", description="The id of a grant.")]
PrincipalName = Annotated[
    str,
    Meta(
        pattern=r"^(?:[0-9]{12}|secretsd:[0-9]{12}:(?:user|role)/[A-Za-z0-9_+=.@-]{1,128})$(?![\s\S])",
        description="`secretsd:<account>:user/<name>`, `…:role/<name>`, or an account.",
    ),
]
SingleName = Annotated[
    str,
    Meta(
        pattern=r"^secretsd:[0-9]{12}:(?:user|role)/[A-Za-z0-9_+=.@-]{1,128}$(?![\s\S])",
        description="`secretsd:<account>:user/<name>` or `…:role/<name>`.",
    ),
]


class CreateGrantRequest(OfKey, frozen=True, kw_only=True):
    """What `grantee` may do with the key, with no more than the context that is said and until it expires.

    The encryption context of a use has to be all of `context_equals`, or to have all of `context_subset` in it. A
    grantee who may CreateGrant passes on no more than he has. The same under the same name again is no second one.
    """

    grantee: PrincipalName
    operations: Annotated[tuple[GrantedOperation, ...], Meta(min_length=1, max_length=18)]
    context_equals: Context = msgspec.field(default_factory=dict)
    context_subset: Context = msgspec.field(default_factory=dict)
    retiring_principal: SingleName | None = None
    expires_ms: Milliseconds | None = None
    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9:/_-]*$(?![\s\S])", max_length=256)] = ""


class GrantDescription(Response, frozen=True, kw_only=True):
    """A grant. `by` made it, `parent` is the grant by which he was allowed to. Times: milliseconds since 1970 UTC."""

    id: str
    key: str
    grantee: str
    operations: tuple[str, ...]
    by: str
    created_ms: int
    context_equals: Mapping[str, str] = msgspec.field(default_factory=dict)
    context_subset: Mapping[str, str] = msgspec.field(default_factory=dict)
    name: str = ""
    retiring_principal: str | None = None
    expires_ms: int | None = None
    parent: str | None = None


class ListGrantsRequest(OfKey, frozen=True, kw_only=True):
    """The grants on a key, in order of id."""

    limit: Limit = 100
    next_token: PageToken | None = None


class ListRetirableGrantsRequest(Request, frozen=True, kw_only=True):
    """Grants of all accounts that a principal of the caller's account may retire; without one, the caller himself."""

    retiring_principal: SingleName | None = None
    limit: Limit = 100
    next_token: PageToken | None = None

    @property
    def resource_path(self) -> str:
        """All grants."""
        return "grant/*"

    @property
    def resource_account(self) -> str | None:
        """The account of the principal that is named."""
        return None if self.retiring_principal is None else self.retiring_principal.split(":", 2)[1]


class ListGrantsResponse(Response, frozen=True, kw_only=True):
    """A page of grants."""

    grants: tuple[GrantDescription, ...]
    next_token: str | None = None


class OfGrant(OfKey, frozen=True, kw_only=True):
    """A request about one grant on a key."""

    grant: GrantId


class RevokeGrantRequest(OfGrant, frozen=True, kw_only=True):
    """Takes back what was granted, and what was passed on of it."""


class RetireGrantRequest(OfGrant, frozen=True, kw_only=True):
    """Gives up what was granted, and what was passed on of it."""


class EndedGrantsResponse(Response, frozen=True, kw_only=True):
    """The grants that ended: the one that was named, and those that were passed on by it."""

    grants: tuple[str, ...]
