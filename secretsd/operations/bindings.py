"""Operations on bindings: which proof of identity leads to whom."""

from secretsd.api.bindings import (
    BindingDescription,
    CreateBindingRequest,
    DeleteBindingRequest,
    ListBindingsRequest,
    ListBindingsResponse,
)
from secretsd.api.fields import DoneResponse
from secretsd.domain.errors import AccessDenied, AlreadyExists, Conflict, InvalidRequest, NotFound
from secretsd.domain.names import SYSTEM_ACCOUNT, Resource
from secretsd.domain.principals import Role, User
from secretsd.domain.proofs import Binding
from secretsd.operations import pages
from secretsd.operations.call import Call
from secretsd.operations.certificate_authorities import require_own_authority
from secretsd.operations.operators import require_operator_for_holder
from secretsd.operations.proof_spaces import space_of
from secretsd.operations.registry import operation
from secretsd.operations.token_issuers import require_own_issuer
from secretsd.ports.storage import Change, Delete, OnlySpaces

_OF_ISSUERS = ("jwt:", "tls:")
"""How proofs begin that are whose their token issuer or certificate authority is."""


@operation("CreateBinding", "POST /v1/bindings", audited=("user", "role"))
async def create_binding(call: Call, request: CreateBindingRequest) -> BindingDescription:
    """Map a proof of identity to a user or role of the caller's account; a proof leads to one of them only."""
    holder = await _holder(call, request)
    await require_operator_for_holder(call, holder)
    changes = await _right_to_bind(call, request.proof)
    names = (holder.name, "") if isinstance(holder, User) else ("", holder.name)
    binding = Binding(request.proof, call.account, names[0], call.time_ms, role=names[1])
    try:
        # The holder's revision moves on, so that whoever deletes it at once has to see this binding: it would lead to
        # the next one of that name.
        await call.commit(*changes, call.replace(holder, holder), call.add(binding))
    except AlreadyExists:
        raise AlreadyExists("cannot bind the proof: it leads to somebody already") from None
    return _described(binding)


@operation("DeleteBinding", "POST /v1/bindings:delete")
async def delete_binding(call: Call, request: DeleteBindingRequest) -> DoneResponse:
    """End what a proof leads to; what an account could not bind itself is an operator's to end, in any account."""
    binding = await call.parts.rows.binding(request.proof)
    if binding.account != call.account:
        concerned = tuple(call.concerned)
        try:
            await call.require(call.operation.name, _proof(request.proof))
        except AccessDenied:
            call.concerned[:] = concerned  # his own event says no more than it does where there is none
            raise NotFound("cannot find a binding of the proof") from None
        call.concerned.append(binding.account)
    elif not binding.proof.startswith(_OF_ISSUERS):
        space = space_of(await call.parts.storage.proofs.spaces(), binding.proof)
        if space is None or space.account != call.account:
            await _require_operator(call, binding.proof)
    await call.commit(Delete(binding))
    return DoneResponse()


@operation("ListBindings", "GET /v1/bindings")
async def list_bindings(call: Call, request: ListBindingsRequest) -> ListBindingsResponse:
    """List which proofs lead to users and roles of the account."""
    found = await call.parts.storage.proofs.bindings(call.account, pages.after(request.next_token), request.limit + 1)
    shown, token = pages.page(found, request.limit, lambda binding: binding.proof)
    return ListBindingsResponse(bindings=tuple(map(_described, shown)), next_token=token)


async def _holder(call: Call, request: CreateBindingRequest) -> User | Role:
    if (request.user is None) == (request.role is None):
        raise InvalidRequest("cannot bind the proof: it leads to either a user or a role")
    # The right to a proof is none to be everybody: who binds it to somebody can be him.
    path = f"role/{request.role}" if request.user is None else f"user/{request.user}"
    await call.require(call.operation.name, Resource(call.account, path))
    if request.user is not None:
        return await call.parts.rows.user(call.account, request.user)
    return await call.parts.rows.role(call.account, request.role or "")


async def _right_to_bind(call: Call, proof: str) -> tuple[Change, ...]:
    """What has to be committed with the binding, so that it holds that the proof is the caller's to bind; or raise.

    Proofs of JWTs and certificates are whose their issuer or authority is; all others whose proof space they lie in,
    and in none, the operator's.
    """
    await require_own_issuer(call, proof)
    await require_own_authority(call, proof)
    if proof.startswith(_OF_ISSUERS):
        return ()
    spaces = await call.parts.storage.proofs.spaces()
    space = space_of(spaces, proof)
    if space is not None and space.account == call.account:
        # Changed, and not only looked at: whoever takes the space back has to see this binding in it.
        return (call.replace(space, space),)
    await _require_operator(call, proof)
    if space is not None:
        raise Conflict(f"cannot bind the proof: it lies in proof space {space.space} of account {space.account}")
    return (OnlySpaces(tuple(one.space for one in spaces)),)


async def _require_operator(call: Call, proof: str) -> None:
    try:
        await call.require(call.operation.name, _proof(proof))
    except AccessDenied:
        raise AccessDenied(
            "cannot do that: the proof lies in no proof space of the account, so it is an operator's to bind and to end"
        ) from None


def _proof(proof: str) -> Resource:
    return Resource(SYSTEM_ACCOUNT, f"proof/{proof}")


def _described(binding: Binding) -> BindingDescription:
    return BindingDescription(
        proof=binding.proof, created_ms=binding.created_ms, user=binding.user or None, role=binding.role or None
    )
