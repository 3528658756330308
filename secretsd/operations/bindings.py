"""Operations on bindings: which proof of identity leads to whom."""

from secretsd.api.bindings import (
    BindingDescription,
    CreateBindingRequest,
    DeleteBindingRequest,
    ListBindingsRequest,
    ListBindingsResponse,
)
from secretsd.api.fields import DoneResponse
from secretsd.domain.errors import NotFound
from secretsd.domain.proofs import Binding
from secretsd.operations import pages
from secretsd.operations.call import Call
from secretsd.operations.operators import require_operator_for_holder
from secretsd.operations.registry import operation
from secretsd.operations.token_issuers import require_own_issuer
from secretsd.ports.storage import Delete


@operation("CreateBinding", "POST /v1/bindings", audited=("user",))
async def create_binding(call: Call, request: CreateBindingRequest) -> BindingDescription:
    """Map a proof of identity to a user of the caller's account; a proof leads to one user only."""
    user = await call.parts.rows.user(call.account, request.user)
    await require_operator_for_holder(call, user)
    await require_own_issuer(call, request.proof)
    binding = Binding(request.proof, call.account, user.name, call.time_ms)
    call.rest_on(user)
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
    found = await call.parts.storage.proofs.bindings(call.account, pages.after(request.next_token), request.limit + 1)
    shown, token = pages.page(found, request.limit, lambda binding: binding.proof)
    return ListBindingsResponse(
        bindings=tuple(
            BindingDescription(proof=binding.proof, user=binding.user, created_ms=binding.created_ms)
            for binding in shown
        ),
        next_token=token,
    )
