"""Requests and responses about who is calling."""

from secretsd.api.fields import Request, Response


class GetCallerIdentityRequest(Request, frozen=True, kw_only=True):
    """Who am I, and how was that proved?"""

    @property
    def resource_path(self) -> str:
        """The caller itself."""
        return "caller"


class GetCallerIdentityResponse(Response, frozen=True, kw_only=True):
    """The principal behind this call.

    `uid` and `unit` are those of the process at the other end of a Unix socket, whether or not they proved anything.
    """

    account: str
    principal: str
    proof: str
    session_name: str | None = None
    uid: int | None = None
    unit: str | None = None
