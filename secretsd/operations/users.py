"""Operations on users, on what proves them (tokens, bindings) and on who is calling."""

from dataclasses import replace

from secretsd.api.access import (
    AttachPolicyRequest,
    BindingDescription,
    CreateBindingRequest,
    CreateTokenRequest,
    CreateTokenResponse,
    CreateUserRequest,
    DeleteBindingRequest,
    DeleteTokenRequest,
    DescribeUserRequest,
    DetachPolicyRequest,
    DoneResponse,
    GetCallerIdentityRequest,
    GetCallerIdentityResponse,
    ListBindingsRequest,
    ListBindingsResponse,
    ListTokensRequest,
    ListTokensResponse,
    ListUsersRequest,
    ListUsersResponse,
    TokenDescription,
    UserDescription,
)
from secretsd.domain.errors import LimitExceeded, NotFound
from secretsd.domain.names import Resource
from secretsd.domain.principals import MAX_POLICIES, Binding, User
from secretsd.operations import pages
from secretsd.operations.call import Call
from secretsd.operations.operators import require_operator_for, require_operator_for_user
from secretsd.operations.registry import operation
from secretsd.operations.tokens import new_token
from secretsd.ports.storage import Delete


def describe_user(user: User) -> UserDescription:
    """A user as callers see it."""
    return UserDescription(
        user=user.name,
        resource=str(Resource(user.account, f"user/{user.name}")),
        created_ms=user.created_ms,
        policies=user.policies,
    )


@operation("CreateUser", "POST /v1/users")
async def create_user(call: Call, request: CreateUserRequest) -> UserDescription:
    """Make a user, who may do nothing yet."""
    user = User(call.account, request.user, call.time_ms)
    await call.commit(call.add(user))
    return describe_user(user)


@operation("DescribeUser", "GET /v1/users/{user}")
async def describe_user_operation(call: Call, request: DescribeUserRequest) -> UserDescription:
    """Tell which policies a user has."""
    return describe_user(await call.parts.rows.user(call.account, request.user))


@operation("ListUsers", "GET /v1/users")
async def list_users(call: Call, request: ListUsersRequest) -> ListUsersResponse:
    """List the users of the account."""
    found = await call.parts.storage.accounts.users(call.account, pages.after(request.next_token), request.limit + 1)
    shown, token = pages.page(found, request.limit, lambda user: user.name)
    return ListUsersResponse(users=tuple(map(describe_user, shown)), next_token=token)


@operation("AttachPolicy", "POST /v1/users/{user}:attach-policy", audited=("policy",))
async def attach_policy(call: Call, request: AttachPolicyRequest) -> UserDescription:
    """Give a user what a policy says."""
    user = await call.parts.rows.user(call.account, request.user)
    await require_operator_for(call, [await call.parts.rows.policy(call.account, request.policy)])
    if request.policy in user.policies:
        return describe_user(user)
    if len(user.policies) >= MAX_POLICIES:
        raise LimitExceeded(f"cannot attach the policy: user {user.name} has {MAX_POLICIES} of them")
    changed = replace(user, policies=(*user.policies, request.policy))
    await call.commit(call.replace(user, changed))
    return describe_user(changed)


@operation("DetachPolicy", "POST /v1/users/{user}:detach-policy", audited=("policy",))
async def detach_policy(call: Call, request: DetachPolicyRequest) -> UserDescription:
    """Take from a user what a policy says."""
    user = await call.parts.rows.user(call.account, request.user)
    if request.policy not in user.policies:
        return describe_user(user)
    changed = replace(user, policies=tuple(name for name in user.policies if name != request.policy))
    await call.commit(call.replace(user, changed))
    return describe_user(changed)


@operation("CreateToken", "POST /v1/users/{user}:create-token", audited=("ttl_seconds",))
async def create_token(call: Call, request: CreateTokenRequest) -> CreateTokenResponse:
    """Make a bearer token for a user; it is shown this once."""
    user = await call.parts.rows.user(call.account, request.user)
    await require_operator_for_user(call, user)
    expires_ms = None if request.ttl_seconds is None else call.time_ms + request.ttl_seconds * 1000
    shown, token = new_token(user, call.time_ms, expires_ms)
    call.fields["token_id"] = token.id
    await call.commit(call.add(token))
    return CreateTokenResponse(id=token.id, token=shown, expires_ms=expires_ms)


@operation("DeleteToken", "POST /v1/users/{user}:delete-token", audited=("id",))
async def delete_token(call: Call, request: DeleteTokenRequest) -> DoneResponse:
    """End a token, at once on every node."""
    for token in await call.parts.storage.accounts.tokens(call.account, request.user):
        if token.id == request.id:
            await call.commit(Delete(token))
            return DoneResponse()
    raise NotFound(f"cannot find the token of user {request.user}")


@operation("ListTokens", "GET /v1/users/{user}:tokens")
async def list_tokens(call: Call, request: ListTokensRequest) -> ListTokensResponse:
    """List a user's tokens without what proves them."""
    await call.parts.rows.user(call.account, request.user)
    tokens = await call.parts.storage.accounts.tokens(call.account, request.user)
    return ListTokensResponse(
        tokens=tuple(
            TokenDescription(id=token.id, created_ms=token.created_ms, expires_ms=token.expires_ms) for token in tokens
        )
    )


@operation("CreateBinding", "POST /v1/bindings", audited=("user",))
async def create_binding(call: Call, request: CreateBindingRequest) -> BindingDescription:
    """Map a proof of identity to a user of the caller's account; a proof leads to one user only."""
    user = await call.parts.rows.user(call.account, request.user)
    await require_operator_for_user(call, user)
    binding = Binding(request.proof, call.account, user.name, call.time_ms)
    await call.commit(call.add(binding))
    return BindingDescription(proof=binding.proof, user=binding.user, created_ms=binding.created_ms)


@operation("DeleteBinding", "POST /v1/bindings:delete")
async def delete_binding(call: Call, request: DeleteBindingRequest) -> DoneResponse:
    """End what a proof leads to."""
    binding = await call.parts.rows.binding(request.proof)
    if binding.account != call.account:
        raise NotFound("cannot find the binding")
    await call.commit(Delete(binding))
    return DoneResponse()


@operation("ListBindings", "GET /v1/bindings")
async def list_bindings(call: Call, request: ListBindingsRequest) -> ListBindingsResponse:
    """List which proofs lead to users of the account."""
    found = await call.parts.storage.accounts.bindings(call.account, pages.after(request.next_token), request.limit + 1)
    shown, token = pages.page(found, request.limit, lambda binding: binding.proof)
    return ListBindingsResponse(
        bindings=tuple(
            BindingDescription(proof=binding.proof, user=binding.user, created_ms=binding.created_ms)
            for binding in shown
        ),
        next_token=token,
    )


@operation("GetCallerIdentity", "GET /v1/caller-identity")
async def get_caller_identity(call: Call, request: GetCallerIdentityRequest) -> GetCallerIdentityResponse:
    """Tell who is calling and how that was proved."""
    principal = call.principal
    return GetCallerIdentityResponse(
        account=principal.account, principal=str(principal.resource), proof=principal.proof
    )
