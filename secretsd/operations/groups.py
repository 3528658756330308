"""Operations on groups, whose members share policies."""

from dataclasses import replace

from secretsd.api.fields import DoneResponse
from secretsd.api.groups import (
    AddUserToGroupRequest,
    CreateGroupRequest,
    DeleteGroupRequest,
    DescribeGroupRequest,
    DescribeGroupResponse,
    GroupDescription,
    ListGroupsRequest,
    ListGroupsResponse,
    RemoveUserFromGroupRequest,
    UpdateGroupRequest,
)
from secretsd.api.users import UserDescription
from secretsd.domain.errors import InvalidState, LimitExceeded, NotFound
from secretsd.domain.names import Resource
from secretsd.domain.principals import MAX_GROUPS, Group
from secretsd.operations import pages
from secretsd.operations.call import Call
from secretsd.operations.holders import inline_names
from secretsd.operations.operators import (
    LOST,
    require_operator_for_holder,
    require_operator_to_loosen,
    statements_of,
)
from secretsd.operations.registry import operation
from secretsd.operations.users import describe_user
from secretsd.ports.storage import Delete


def describe_group(group: Group) -> GroupDescription:
    """A group as callers see it."""
    return GroupDescription(
        group=group.name,
        resource=str(Resource(group.account, group.path)),
        created_ms=group.created_ms,
        policies=group.policies,
        inline_policies=inline_names(group),
        description=group.description,
    )


@operation("CreateGroup", "POST /v1/groups")
async def create_group(call: Call, request: CreateGroupRequest) -> GroupDescription:
    """Make a group, which has no members and no policies yet."""
    group = Group(call.account, request.group, call.time_ms, request.description)
    await call.commit(call.add(group))
    return describe_group(group)


@operation("DescribeGroup", "GET /v1/groups/{group}")
async def describe_group_operation(call: Call, request: DescribeGroupRequest) -> DescribeGroupResponse:
    """Tell which policies a group has, and who is in it."""
    group = await call.parts.rows.group(call.account, request.group)
    found = await call.parts.storage.accounts.members(
        call.account, group.name, pages.after(request.next_token), request.limit + 1
    )
    shown, token = pages.page(found, request.limit, lambda user: user.name)
    return DescribeGroupResponse(
        group=group.name,
        resource=str(Resource(group.account, group.path)),
        created_ms=group.created_ms,
        policies=group.policies,
        inline_policies=inline_names(group),
        description=group.description,
        members=tuple(user.name for user in shown),
        next_token=token,
    )


@operation("ListGroups", "GET /v1/groups")
async def list_groups(call: Call, request: ListGroupsRequest) -> ListGroupsResponse:
    """List the groups of the account."""
    found = await call.parts.storage.accounts.groups(call.account, pages.after(request.next_token), request.limit + 1)
    shown, token = pages.page(found, request.limit, lambda group: group.name)
    return ListGroupsResponse(groups=tuple(map(describe_group, shown)), next_token=token)


@operation("UpdateGroup", "PATCH /v1/groups/{group}")
async def update_group(call: Call, request: UpdateGroupRequest) -> GroupDescription:
    """Change a group's description."""
    group = await call.parts.rows.group(call.account, request.group)
    if request.description is None or request.description == group.description:
        return describe_group(group)
    changed = replace(group, description=request.description)
    await call.commit(call.replace(group, changed))
    return describe_group(changed)


@operation("DeleteGroup", "DELETE /v1/groups/{group}")
async def delete_group(call: Call, request: DeleteGroupRequest) -> DoneResponse:
    """End a group that has no members."""
    group = await call.parts.rows.group(call.account, request.group)
    if await call.parts.storage.accounts.members(call.account, group.name, "", 1):
        raise InvalidState(f"cannot delete group {group.name}: it has members; remove them first")
    # Whoever joins changes the group as well, so one who does so meanwhile lets this start again.
    await call.commit(Delete(group))
    return DoneResponse()


@operation("AddUserToGroup", "POST /v1/groups/{group}:add-user", audited=("user",))
async def add_user_to_group(call: Call, request: AddUserToGroupRequest) -> UserDescription:
    """Give a user what a group has."""
    group = await call.parts.rows.group(call.account, request.group)
    user = await call.parts.rows.user(call.account, request.user)
    await require_operator_for_holder(call, group)
    if group.name in user.groups:
        return describe_user(user)
    if len(user.groups) >= MAX_GROUPS:
        raise LimitExceeded(f"cannot add the user: user {user.name} is in {MAX_GROUPS} groups")
    changed = replace(user, groups=(*user.groups, group.name))
    await call.commit(call.replace(user, changed), call.replace(group, group))
    return describe_user(changed)


@operation("RemoveUserFromGroup", "POST /v1/groups/{group}:remove-user", audited=("user",))
async def remove_user_from_group(call: Call, request: RemoveUserFromGroupRequest) -> UserDescription:
    """Take from a user what a group has."""
    user = await call.parts.rows.user(call.account, request.user)
    try:
        group = await call.parts.rows.group(call.account, request.group)
    except NotFound:
        group = None  # a row that got lost, and denies its members everything until they are out
        if request.group not in user.groups:
            raise
    if request.group not in user.groups:
        return describe_user(user)
    taken = (LOST,) if group is None else await statements_of(call, group)
    await require_operator_to_loosen(call, user, taken)
    changed = replace(user, groups=tuple(name for name in user.groups if name != request.group))
    await call.commit(call.replace(user, changed), *(() if group is None else (call.replace(group, group),)))
    return describe_user(changed)
