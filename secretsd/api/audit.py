"""Requests and responses about the audit trail."""

from typing import Annotated, Any

from msgspec import Meta

from secretsd.api.fields import Milliseconds, PageToken, Request, Response
from secretsd.domain.names import ACCOUNT_PATTERN


class LookupEventsRequest(Request, frozen=True, kw_only=True):
    """Events of an account (the caller's own when none is named), all conditions together, the oldest first."""

    account: Annotated[str, Meta(pattern=ACCOUNT_PATTERN)] | None = None
    from_ms: Milliseconds = 0
    to_ms: Milliseconds | None = None
    principal: Annotated[str, Meta(max_length=700)] | None = None
    resource: Annotated[str, Meta(max_length=700, description="Whole, or a prefix that ends in *.")] | None = None
    operation: Annotated[str, Meta(max_length=64)] | None = None
    request_id: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$(?![\s\S])")] | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    next_token: PageToken | None = None

    @property
    def resource_path(self) -> str:
        """The trail."""
        return "audit"

    @property
    def resource_account(self) -> str | None:
        """The account whose events are asked for."""
        return self.account


class LookupEventsResponse(Response, frozen=True, kw_only=True):
    """A page of events. A page may be short, even empty, while `next_token` says that there is more to look at."""

    events: tuple[Any, ...]
    next_token: str | None = None
