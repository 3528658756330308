"""Requests and responses about the targets of rotations, which belong to the operator (account `system`)."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from secretsd.api.fields import Description, Limit, Milliseconds, PageToken, Request, Response, TextValue, Word
from secretsd.domain.names import SYSTEM_ACCOUNT

AccountId = Annotated[str, Meta(pattern=r"^[0-9]{12}$(?![\s\S])", description="Twelve digits.")]
# No line break of any kind: an account's patterns are stored as lines.
_TEXT = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]"
LoginPattern = Annotated[
    str, Meta(pattern=rf"^{_TEXT}{{1,128}}$(?![\s\S])", description="A login at the target; * is any text.")
]
Logins = Annotated[
    Mapping[AccountId, Annotated[tuple[LoginPattern, ...], Meta(min_length=1, max_length=100)]], Meta(max_length=1000)
]
AdminLogin = Annotated[str, Meta(pattern=rf"^{_TEXT}{{1,128}}$(?![\s\S])")]


class _OfSystem(Request, frozen=True, kw_only=True):
    @property
    def resource_account(self) -> str:
        """Targets belong to the operator, whoever asks."""
        return SYSTEM_ACCOUNT


class OfTarget(_OfSystem, frozen=True, kw_only=True):
    """A request about one target."""

    target: Word

    @property
    def resource_path(self) -> str:
        """The target."""
        return f"target/{self.target}"


class CreateTargetRequest(OfTarget, frozen=True, kw_only=True):
    """A system in which accounts may rotate the logins that are named for them.

    `address` is the rotator's own description of where it is. Without an administrator each login changes itself; the
    password of one is sealed to address and login, and no operation ever returns it.
    """

    rotator: Word
    address: Mapping[str, Any]
    admin_login: AdminLogin | None = None
    admin_password: TextValue | None = None
    logins: Logins = msgspec.field(default_factory=dict)
    description: Description = ""


class DescribeTargetRequest(OfTarget, frozen=True, kw_only=True):
    """All about a target but its administrator's password."""


class UpdateTargetRequest(OfTarget, frozen=True, kw_only=True):
    """What is not given stays. Another address or administrator needs the administrator's password again.

    An empty `admin_login` takes the administrator away.
    """

    address: Mapping[str, Any] | None = None
    admin_login: Annotated[str, Meta(pattern=rf"^{_TEXT}{{0,128}}$(?![\s\S])")] | None = None
    admin_password: TextValue | None = None
    logins: Logins | None = None
    description: Description | None = None


class DeleteTargetRequest(OfTarget, frozen=True, kw_only=True):
    """Takes a target away, unless a secret still holds a login there."""


class ListTargetsRequest(_OfSystem, frozen=True, kw_only=True):
    """Targets, in order of name."""

    limit: Limit = 100
    next_token: PageToken | None = None

    @property
    def resource_path(self) -> str:
        """All targets."""
        return "target/*"


class TargetDescription(Response, frozen=True, kw_only=True):
    """A target. `admin_login` is missing where each login changes itself."""

    target: str
    resource: str
    rotator: str
    address: Mapping[str, Any]
    logins: Mapping[str, tuple[str, ...]]
    created_ms: Milliseconds
    changed_ms: Milliseconds
    admin_login: str | None = None
    description: str = ""


class ListTargetsResponse(Response, frozen=True, kw_only=True):
    """A page of targets."""

    targets: tuple[TargetDescription, ...]
    next_token: str | None = None


class TargetDeletedResponse(Response, frozen=True, kw_only=True):
    """The target that is gone."""

    target: str
