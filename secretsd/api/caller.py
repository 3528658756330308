"""Requests and responses about who is calling."""

from secretsd.api.fields import Request, Response


class GetCallerIdentityRequest(Request, frozen=True, kw_only=True):
    """Who am I, and how was that proved?"""

    @property
    def resource_path(self) -> str:
        """The caller itself."""
        return "caller"


class GetCallerIdentityResponse(Response, frozen=True, kw_only=True):
    """The principal behind this call."""

    account: str
    principal: str
    proof: str
