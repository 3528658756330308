"""Operations on proof spaces: operators leave proofs of identity to accounts, each proof to one (SECURITY 14)."""

from collections.abc import Iterable, Sequence

from secretsd.api.proof_spaces import (
    CreateProofSpaceRequest,
    DeleteProofSpaceRequest,
    DeleteProofSpaceResponse,
    ListProofSpacesRequest,
    ListProofSpacesResponse,
    ProofSpaceDescription,
)
from secretsd.domain.errors import AlreadyExists, Conflict, InvalidRequest, InvalidState, LimitExceeded, NotFound
from secretsd.domain.names import SYSTEM_ACCOUNT, Resource
from secretsd.domain.proof_spaces import between, fault_of, overlap
from secretsd.domain.proofs import Binding, ProofSpace
from secretsd.operations import pages
from secretsd.operations.call import Call
from secretsd.operations.registry import operation
from secretsd.ports.storage import Delete, OnlySpaces

MAX_SPACES = 1_000
"""Each is looked at where one is made or a proof is bound."""
MAX_TAKEN = 1_000
"""Most bindings that go in one unit of work."""
_PAGE = 1_000


@operation("CreateProofSpace", "POST /v1/proof-spaces", audited=("account",))
async def create_proof_space(call: Call, request: CreateProofSpaceRequest) -> ProofSpaceDescription:
    """Leave proofs of identity to an account: its administrators bind them to its users and roles."""
    account = await call.parts.rows.account(request.account)
    call.concerned.append(account.id)
    if (fault := fault_of(request.space)) is not None:
        raise InvalidRequest(f"cannot make the proof space: {fault}")
    spaces = await call.parts.storage.proofs.spaces()
    if len(spaces) >= MAX_SPACES:
        raise LimitExceeded(f"cannot make the proof space: there are {MAX_SPACES} already")
    made = ProofSpace(request.space, account.id, call.time_ms)
    _require_apart(made, spaces)
    await _require_nobody_elses(call, made)
    await call.commit(OnlySpaces(tuple(one.space for one in spaces)), call.add(made))
    return _described(made)


@operation("ListProofSpaces", "GET /v1/proof-spaces")
async def list_proof_spaces(call: Call, request: ListProofSpacesRequest) -> ListProofSpacesResponse:
    """List which proofs are left to the account, or to every account."""
    after = pages.after(request.next_token)
    found = [
        one
        for one in await call.parts.storage.proofs.spaces()
        if one.space > after and (request.every_account or one.account == call.account)
    ]
    shown, token = pages.page(found[: request.limit + 1], request.limit, lambda one: one.space)
    return ListProofSpacesResponse(proof_spaces=tuple(map(_described, shown)), next_token=token)


@operation("DeleteProofSpace", "POST /v1/proof-spaces:delete", audited=("force",))
async def delete_proof_space(call: Call, request: DeleteProofSpaceRequest) -> DeleteProofSpaceResponse:
    """Take proofs of identity back from an account, with its bindings of them where that is said."""
    space = await _space(call, request.space)
    call.concerned.append(space.account)
    bindings = await _bindings_in(call, space)
    if bindings and not request.force:
        counted = f"over {MAX_TAKEN}" if len(bindings) > MAX_TAKEN else str(len(bindings))
        raise InvalidState(
            f"cannot delete proof space {space.space}: account {space.account} has bound {counted} proofs in it; "
            "force takes them along"
        )
    taken, deleted = bindings[:MAX_TAKEN], len(bindings) <= MAX_TAKEN
    call.fields["bindings"], call.fields["deleted"] = len(taken), deleted
    # A binding that is made meanwhile changes its space: this is then done again, with that one as well.
    await call.commit(*map(Delete, taken), Delete(space) if deleted else call.replace(space, space))
    return DeleteProofSpaceResponse(space=space.space, bindings=len(taken), deleted=deleted)


def space_of(spaces: Iterable[ProofSpace], proof: str) -> ProofSpace | None:
    """The proof space in which a proof lies, whosever it is; None for none."""
    return next((one for one in spaces if one.holds(proof)), None)


async def _space(call: Call, name: str) -> ProofSpace:
    for one in await call.parts.storage.proofs.spaces():
        if one.space == name:
            return one
    raise NotFound(f"cannot find proof space {name}")


def _require_apart(made: ProofSpace, spaces: Sequence[ProofSpace]) -> None:
    for one in spaces:
        if one.space == made.space:
            raise AlreadyExists(f"cannot make proof space {made.space}: account {one.account} has it already")
        if overlap(one.space, made.space):
            raise Conflict(
                f"cannot make proof space {made.space}: account {one.account} has {one.space}, "
                "which may hold the same proofs"
            )


async def _require_nobody_elses(call: Call, made: ProofSpace) -> None:
    """Raise Conflict where another account has bound a proof of the space, as operators can."""
    after, before = between(made.space)
    while found := await call.parts.storage.proofs.bindings_of_others(made.account, after, before, _PAGE):
        for one in found:
            if made.holds(one.proof):
                raise Conflict(
                    f"cannot make proof space {made.space}: account {one.account} has bound {one.proof}, which is in it"
                )
        after = found[-1].proof


async def _bindings_in(call: Call, space: ProofSpace) -> list[Binding]:
    """What the account has bound in its space, a few more than can be taken away at a time at most."""
    after, before = between(space.space)
    found: list[Binding] = []
    while len(found) <= MAX_TAKEN:
        page = await call.parts.storage.proofs.bindings(space.account, after, _PAGE)
        found += [one for one in page if one.proof < before and space.holds(one.proof)]
        if len(page) < _PAGE or page[-1].proof >= before:
            break
        after = page[-1].proof
    return found


def _described(space: ProofSpace) -> ProofSpaceDescription:
    return ProofSpaceDescription(
        space=space.space,
        resource=str(Resource(SYSTEM_ACCOUNT, f"proof-space/{space.space}")),
        account=space.account,
        created_ms=space.created_ms,
    )
