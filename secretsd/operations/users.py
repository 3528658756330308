"""Operations on users."""

from collections.abc import Sequence
from dataclasses import replace

from secretsd.api.fields import DoneResponse
from secretsd.api.users import (
    CreateUserRequest,
    DeleteUserRequest,
    DescribeUserRequest,
    ListUsersRequest,
    ListUsersResponse,
    UpdateUserRequest,
    UserDescription,
)
from secretsd.domain.credentials import MAX_SESSION_SECONDS, Token
from secretsd.domain.errors import InvalidState, NotFound
from secretsd.domain.names import Resource
from secretsd.domain.principals import User
from secretsd.operations import pages
from secretsd.operations.call import Call
from secretsd.operations.holders import inline_names, policy_to_hold
from secretsd.operations.operators import require_operator_for_holder
from secretsd.operations.registry import operation
from secretsd.ports.storage import Delete

COUNTED = 100
"""How many bindings are counted when it is told what is in the way."""
MAX_TAKEN = 1_000
"""Most tokens that go in one unit of work with their user."""


def describe_user(user: User) -> UserDescription:
    """A user as callers see it."""
    return UserDescription(
        user=user.name,
        resource=str(Resource(user.account, user.path)),
        created_ms=user.created_ms,
        policies=user.policies,
        inline_policies=inline_names(user),
        groups=user.groups,
        boundary=user.boundary or None,
        service=user.service,
        description=user.description,
        tags=user.tags,
    )


@operation("CreateUser", "POST /v1/users", audited=("boundary", "service", "tags"))
async def create_user(call: Call, request: CreateUserRequest) -> UserDescription:
    """Make a user, who may do nothing yet."""
    boundary = (await policy_to_hold(call, request.boundary)).name if request.boundary is not None else ""
    user = User(
        call.account,
        request.user,
        await _after_all_tokens(call, request.user),
        tags=request.tags,
        boundary=boundary,
        service=request.service,
        description=request.description,
    )
    # Others may trust that name still, for the user who had it before.
    await require_operator_for_holder(call, user)
    await call.commit(call.add(user))
    return describe_user(user)


@operation("DescribeUser", "GET /v1/users/{user}")
async def describe_user_operation(call: Call, request: DescribeUserRequest) -> UserDescription:
    """Tell which policies and groups a user has, and what bounds him."""
    return describe_user(await call.parts.rows.user(call.account, request.user))


@operation("ListUsers", "GET /v1/users")
async def list_users(call: Call, request: ListUsersRequest) -> ListUsersResponse:
    """List the users of the account."""
    found = await call.parts.storage.accounts.users(call.account, pages.after(request.next_token), request.limit + 1)
    shown, token = pages.page(found, request.limit, lambda user: user.name)
    return ListUsersResponse(users=tuple(map(describe_user, shown)), next_token=token)


@operation("UpdateUser", "PATCH /v1/users/{user}", audited=("service",))
async def update_user(call: Call, request: UpdateUserRequest) -> UserDescription:
    """Change a user's description, or whether it is a service, which has no standing credentials."""
    user = await call.parts.rows.user(call.account, request.user)
    changed = replace(
        user,
        description=user.description if request.description is None else request.description,
        service=user.service if request.service is None else request.service,
    )
    if changed.service and not user.service:
        await _require_nothing_standing(call, user)
    if changed != user:
        await call.commit(call.replace(user, changed))
    return describe_user(changed)


@operation("DeleteUser", "DELETE /v1/users/{user}")
async def delete_user(call: Call, request: DeleteUserRequest) -> DoneResponse:
    """End a user whom no token, access key or binding leads to any more."""
    user = await call.parts.rows.user(call.account, request.user)
    proofs = call.parts.storage.proofs
    bindings = len(await proofs.bindings_of_user(call.account, user.name, COUNTED))
    left = (
        _counted("token", await proofs.count_tokens(call.account, user.name, call.time_ms)),
        _counted("access key", len(await proofs.access_keys(call.account, user.name))),
        _counted("binding", bindings, bindings == COUNTED),
    )
    if any(left):
        raise InvalidState(f"cannot delete user {user.name}: {_listed(left)} lead to it; take them away first")
    # What is left of those that are over proves nobody without its user, and goes within the hour as all of them do.
    over = await proofs.tokens(call.account, user.name, "", MAX_TAKEN)
    await call.commit(Delete(user), *(Delete(token) for token in over if _is_over(token, call.time_ms)))
    return DoneResponse()


async def _after_all_tokens(call: Call, name: str) -> int:
    """When a user was made who is made now: after each token that is left of one who had that name, so none proves him.

    Where the clock was set back since, some of them would be good again.
    """
    try:
        newest = await call.parts.storage.proofs.newest_token(call.account, name)
    except NotFound:
        return call.time_ms
    return max(call.time_ms, newest.created_ms + 1)


async def _require_nothing_standing(call: Call, user: User) -> None:
    """Raise InvalidState for a user with access keys, or with tokens that are good for longer than a session can be."""
    proofs, longest_ms = call.parts.storage.proofs, MAX_SESSION_SECONDS * 1000
    left = (
        _counted("lasting token", await proofs.count_lasting_tokens(call.account, user.name, call.time_ms, longest_ms)),
        _counted("access key", len(await proofs.access_keys(call.account, user.name))),
    )
    if any(left):
        raise InvalidState(f"cannot make user {user.name} a service: it has {_listed(left)}; take them away first")


def _is_over(token: Token, now_ms: int) -> bool:
    return token.expires_ms is not None and token.expires_ms <= now_ms


def _counted(what: str, count: int, at_least: bool = False) -> str:
    """`2 tokens`; nothing for none."""
    if not count:
        return ""
    return f"{'at least ' if at_least else ''}{count} {what}{'s' if count > 1 else ''}"


def _listed(parts: Sequence[str]) -> str:
    """`2 tokens, 1 access key and 3 bindings`."""
    *first, last = [part for part in parts if part]
    return f"{', '.join(first)} and {last}" if first else last
