"""Operations on token issuers: operators say whose JWTs are good for which account (SECURITY 14)."""

import contextlib
from dataclasses import replace

from secretsd.api.token_issuers import (
    CreateTokenIssuerRequest,
    DeleteTokenIssuerRequest,
    DescribeTokenIssuerRequest,
    ListTokenIssuersRequest,
    ListTokenIssuersResponse,
    TokenIssuerDeletedResponse,
    TokenIssuerDescription,
    UpdateTokenIssuerRequest,
)
from secretsd.domain.errors import AlreadyExists, Conflict, InvalidRequest, NotFound
from secretsd.domain.names import SYSTEM_ACCOUNT, Resource
from secretsd.domain.proofs import TokenIssuer
from secretsd.operations import jwks, pages
from secretsd.operations.call import Call
from secretsd.operations.registry import operation
from secretsd.ports.storage import Delete

MAX_TOKEN_ISSUERS = 1000
"""Each worker holds all of them; with their keys that is some megabytes."""
CHANGEABLE = ("audience", "claims", "required", "keys", "keys_url")


@operation("CreateTokenIssuer", "POST /v1/token-issuers", audited=("account", "issuer", "audience", "keys_url"))
async def create_token_issuer(call: Call, request: CreateTokenIssuerRequest) -> TokenIssuerDescription:
    """Let the JWTs of an issuer prove who is calling, for one account."""
    if (request.keys is None) == (request.keys_url is None):
        raise InvalidRequest("cannot create the token issuer: it has either keys or keys_url")
    account = await call.parts.rows.account(request.account)
    call.concerned.append(account.id)
    _check_keys(call, request.keys, request.keys_url)
    _check_claims(request.claims)
    if len(await call.parts.storage.proofs.issuers()) >= MAX_TOKEN_ISSUERS:
        raise Conflict(f"cannot create the token issuer: there are {MAX_TOKEN_ISSUERS} already")
    issuer = TokenIssuer(
        request.token_issuer,
        account.id,
        request.issuer,
        request.audience,
        request.keys or "",
        request.keys_url or "",
        request.claims,
        request.required,
        call.time_ms,
    )
    call.rest_on(account)
    try:
        await call.commit(call.add(issuer))
    except AlreadyExists:
        with contextlib.suppress(NotFound):
            await _token_issuer(call, issuer.name)
            raise AlreadyExists(f"cannot create token issuer {issuer.name}: it exists already") from None
        raise _taken() from None
    return _described(call, issuer)


@operation("DescribeTokenIssuer", "GET /v1/token-issuers/{token_issuer}")
async def describe_token_issuer(call: Call, request: DescribeTokenIssuerRequest) -> TokenIssuerDescription:
    """Tell all about a token issuer, and how the keys at its URL are doing."""
    return _described(call, await _token_issuer(call, request.token_issuer))


@operation("ListTokenIssuers", "GET /v1/token-issuers")
async def list_token_issuers(call: Call, request: ListTokenIssuersRequest) -> ListTokenIssuersResponse:
    """List the token issuers of this daemon."""
    after = pages.after(request.next_token)
    found = [one for one in await call.parts.storage.proofs.issuers() if one.name > after]
    shown, token = pages.page(found[: request.limit + 1], request.limit, lambda one: one.name)
    return ListTokenIssuersResponse(token_issuers=tuple(_described(call, one) for one in shown), next_token=token)


@operation("UpdateTokenIssuer", "PATCH /v1/token-issuers/{token_issuer}", audited=("audience", "keys_url"))
async def update_token_issuer(call: Call, request: UpdateTokenIssuerRequest) -> TokenIssuerDescription:
    """Change a token issuer; at once a token is good only if it is so by what is said now."""
    call.fields["changed"] = tuple(name for name in CHANGEABLE if getattr(request, name) is not None)
    before = await _token_issuer(call, request.token_issuer)
    call.concerned.append(before.account)
    if request.keys is not None and request.keys_url is not None:
        raise InvalidRequest("cannot update the token issuer: it has either keys or keys_url")
    _check_keys(call, request.keys, request.keys_url)
    after = before
    if request.keys is not None or request.keys_url is not None:
        after = replace(after, keys=request.keys or "", keys_url=request.keys_url or "")
    if request.audience is not None:
        after = replace(after, audience=request.audience)
    if request.claims is not None:
        _check_claims(request.claims)
        after = replace(after, claims=request.claims)
    if request.required is not None:
        after = replace(after, required=request.required)
    try:
        await call.commit(call.replace(before, after))
    except AlreadyExists:
        raise _taken() from None
    return _described(call, after)


@operation("DeleteTokenIssuer", "DELETE /v1/token-issuers/{token_issuer}")
async def delete_token_issuer(call: Call, request: DeleteTokenIssuerRequest) -> TokenIssuerDeletedResponse:
    """Let no JWT of an issuer prove anything any more; it stays while its account has bindings of such proofs."""
    issuer = await _token_issuer(call, request.token_issuer)
    call.concerned.append(issuer.account)
    begins = f"jwt:{issuer.name}/"
    bound = await call.parts.storage.proofs.bindings(issuer.account, begins, 1)
    if bound and bound[0].proof.startswith(begins):
        raise Conflict(f"cannot delete token issuer {issuer.name}: its account has bindings of proofs {begins}…")
    await call.commit(Delete(issuer))
    return TokenIssuerDeletedResponse(token_issuer=issuer.name)


async def require_own_issuer(call: Call, proof: str) -> None:
    """Raise NotFound where a JWT's proof is of no issuer of the caller's account: others could squat on its proofs.

    Proofs of other kinds pass. The change that follows fails if the issuer changes meanwhile.
    """
    if proof.startswith("jwt:"):
        name = proof.removeprefix("jwt:").partition("/")[0]
        for one in await call.parts.storage.proofs.issuers():
            if one.name == name and one.account == call.account:
                call.rest_on(one)
                return
        raise NotFound(f"cannot bind the proof: the account has no token issuer {name}")


async def _token_issuer(call: Call, name: str) -> TokenIssuer:
    for one in await call.parts.storage.proofs.issuers():
        if one.name == name:
            return one
    raise NotFound(f"cannot find token issuer {name}")


def _check_keys(call: Call, keys: str | None, keys_url: str | None) -> None:
    if keys is not None:
        jwks.read_given(keys)
    if keys_url is not None and (refusal := call.parts.issuer_keys.refusal(keys_url)) is not None:
        raise InvalidRequest(f"cannot use keys_url: {refusal}")


def _check_claims(claims: tuple[str, ...]) -> None:
    if len(set(claims)) != len(claims):
        raise InvalidRequest("cannot use claims: one of them is there twice")


def _taken() -> AlreadyExists:
    """Said without whose it is: that is another account's affair."""
    return AlreadyExists("cannot use this issuer and audience: they belong to another token issuer")


def _described(call: Call, issuer: TokenIssuer) -> TokenIssuerDescription:
    seconds, problem = call.parts.jwt_proofs.keys_state(issuer)
    return TokenIssuerDescription(
        token_issuer=issuer.name,
        resource=str(Resource(SYSTEM_ACCOUNT, f"token-issuer/{issuer.name}")),
        account=issuer.account,
        issuer=issuer.issuer,
        audience=issuer.audience,
        claims=tuple(issuer.claims),
        created_ms=issuer.created_ms,
        required=dict(issuer.required),
        keys=issuer.keys or None,
        keys_url=issuer.keys_url or None,
        keys_fetched_seconds=seconds,
        keys_problem=problem or None,
    )
