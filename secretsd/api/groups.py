"""Requests and responses about groups of users."""

from secretsd.api.fields import Description, Limit, PageToken, Request, Response, Word


class OfGroup(Request, frozen=True, kw_only=True):
    """A request about one group."""

    group: Word

    @property
    def resource_path(self) -> str:
        """The group."""
        return f"group/{self.group}"


class CreateGroupRequest(OfGroup, frozen=True, kw_only=True):
    """A new group, without members and policies."""

    description: Description = ""


class UpdateGroupRequest(OfGroup, frozen=True, kw_only=True):
    """What is not given stays."""

    description: Description | None = None


class DeleteGroupRequest(OfGroup, frozen=True, kw_only=True):
    """Ends a group that has no members."""


class DescribeGroupRequest(OfGroup, frozen=True, kw_only=True):
    """All about a group. Its members come in pages, in order of name."""

    limit: Limit = 100
    next_token: PageToken | None = None


class GroupDescription(Response, frozen=True, kw_only=True):
    """A group, and the policies that its members have by it: those attached, and those of its own by name."""

    group: str
    resource: str
    created_ms: int
    policies: tuple[str, ...]
    inline_policies: tuple[str, ...] = ()
    description: str = ""


class DescribeGroupResponse(GroupDescription, frozen=True, kw_only=True):
    """A group and a page of its members."""

    members: tuple[str, ...]
    next_token: str | None = None


class ListGroupsRequest(Request, frozen=True, kw_only=True):
    """Groups of the account, in order of name."""

    limit: Limit = 100
    next_token: PageToken | None = None

    @property
    def resource_path(self) -> str:
        """All groups."""
        return "group/*"


class ListGroupsResponse(Response, frozen=True, kw_only=True):
    """A page of groups."""

    groups: tuple[GroupDescription, ...]
    next_token: str | None = None


class AddUserToGroupRequest(OfGroup, frozen=True, kw_only=True):
    """Gives a user what the group has. Adding him twice is once."""

    user: Word


class RemoveUserFromGroupRequest(OfGroup, frozen=True, kw_only=True):
    """Takes from a user what the group has. Who is not in it is no error."""

    user: Word
