"""The operation that lists who may use a permission on a resource; many principals are looked at in many pages."""

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

from secretsd.api.policy_explanations import WhoCanRequest, WhoCanResponse, WhoMay
from secretsd.domain.across_accounts import ACROSS_ACCOUNTS
from secretsd.domain.decisions import Narrowed, Sides
from secretsd.domain.errors import InvalidRequest, NotFound
from secretsd.domain.explanations import PartlyKnown, Verdict, explain, holds
from secretsd.domain.names import SYSTEM_ACCOUNT, Resource
from secretsd.domain.policy_rules import Applying, Who
from secretsd.domain.principals import RESERVED_ROLES, ROOT_ONLY, Principal
from secretsd.operations import pages
from secretsd.operations.call import Call
from secretsd.operations.explanation_words import sides_of, unknown_keys
from secretsd.operations.key_references import OF_ALIASES
from secretsd.operations.known_facts import BESIDE_POLICIES, KnownOfResource, require_permission
from secretsd.operations.registry import operation
from secretsd.operations.rule_sets import OwnersSide

LOOKED_AT = 500
"""Most principals looked at for one page."""
AT_ONCE = 25
"""After so many the loop turns, so that nobody waits for a list."""
PAGE = 100
_ITS_ACCOUNT = Applying("the account's own policies", 1, "", ())


class _Candidate(NamedTuple):
    """Somebody to look at. `after` says where the list goes on behind him; `named` is he as policies name him."""

    after: str
    named: str
    own: bool


class _Asked(NamedTuple):
    """What is asked, with all that is the same for everybody."""

    call: Call
    action: str
    owners: OwnersSide
    known: KnownOfResource


@operation("WhoCan", "GET /v1/policies:who-can", audited=("action",))
async def who_can(call: Call, request: WhoCanRequest) -> WhoCanResponse:
    """List who may use a permission on a resource: users and roles of the account, and others whom its owner names.

    An alias stands for its key, but where the permission is on the alias itself. A denial under conditions that are
    unknown keeps nobody off the list.
    """
    require_permission(request.action)
    if request.action in BESIDE_POLICIES:
        who = "root of the daemon's host" if request.action in ROOT_ONLY else "everybody whose proof is good"
        raise InvalidRequest(f"cannot list who may do that: no policy decides about it, {who} may")
    if call.resource.path.startswith("alias/") and request.action not in OF_ALIASES:
        raise NotFound("cannot find the key")  # an alias that leads to one is that key by now
    authorizer = call.parts.authorizer
    owners = await authorizer.rules.owners_side(call.resource)
    known = await KnownOfResource.of(authorizer, request.action, call.resource, call.time_ms, shown=True)
    asked = _Asked(call, request.action, owners, known)
    found: list[WhoMay] = []
    looked_at, last = 0, ""
    async for candidate in _candidates(asked, pages.after(request.next_token)):
        if looked_at >= LOOKED_AT or len(found) >= request.limit:
            return WhoCanResponse(principals=tuple(found), next_token=pages.token_for(last))
        if looked_at % AT_ONCE == 0:
            await asyncio.sleep(0)
        looked_at, last = looked_at + 1, candidate.after
        may = await (_own(asked, candidate) if candidate.own else _other(asked, candidate))
        if may is not None:
            found.append(may)
    return WhoCanResponse(principals=tuple(found))


async def _candidates(asked: _Asked, after: str) -> AsyncIterator[_Candidate]:
    """All who come into question behind that place: users, roles, roles of scheduled work, others."""
    accounts, account = asked.call.parts.storage.accounts, asked.call.account
    begun, _, name = after.partition(" ")
    if begun <= "1":
        while users := await accounts.users(account, name, PAGE):
            for user in users:
                yield _Candidate(f"1 {user.name}", user.path, own=True)
            name = users[-1].name
        name = ""
    if begun <= "2":
        while roles := await accounts.roles(account, name, PAGE):
            for role in roles:
                yield _Candidate(f"2 {role.name}", role.path, own=True)
            name = roles[-1].name
        name = ""
    if begun <= "3":
        for path in sorted(RESERVED_ROLES):
            if path > name:
                yield _Candidate(f"3 {path}", path, own=True)
        name = ""
    for principal in _others(asked):
        if principal > name:
            yield _Candidate(f"4 {principal}", principal, own=False)


def _others(asked: _Asked) -> list[str]:
    """Whom the owner names that are not, or not all, of his own account."""
    if asked.action not in ACROSS_ACCOUNTS or asked.call.resource.account == SYSTEM_ACCOUNT:
        return []
    owners, account = asked.owners, asked.call.account
    named = frozenset[str]()
    if owners.policy is not None:
        named |= owners.policy.allowed_principals(asked.action, asked.call.resource)
    for grant in owners.grants:
        named |= grant.allowed_principals(asked.action)
    own = f"secretsd:{account}:"
    return sorted(one for one in named if one != account and not one.startswith(own))


async def _own(asked: _Asked, candidate: _Candidate) -> WhoMay | None:
    call, authorizer = asked.call, asked.call.parts.authorizer
    principal = Principal(call.account, candidate.named, "")
    narrowed = await authorizer.rules.narrowed(principal, asked.action, call.resource, owners=asked.owners)
    facts = asked.known.to(principal.resource, call.account, await authorizer.tags(principal.resource))
    return _may(str(principal.resource), narrowed, facts, account_decides=False)


async def _other(asked: _Asked, candidate: _Candidate) -> WhoMay | None:
    """As if his own account allowed it, and he were who is meant: what that says is not for this one to see."""
    resource, named = asked.call.resource, candidate.named
    principal = Resource(*named.split(":", 2)[1:]) if ":" in named else None
    who = Who(named, "") if principal is None else Who(principal.account, principal.path, None)
    guarded = resource.path.startswith("role/")
    sides = Sides((), resource=asked.owners.policy, grants=asked.owners.grants, guarded=guarded)
    narrowed = sides.narrowed(who, asked.action, resource)._replace(identity=(_ITS_ACCOUNT,))
    facts = asked.known.to(principal, None if named == "*" else who.account, None)
    return _may(named, narrowed, facts, account_decides=True)


def _may(named: str, narrowed: Narrowed, facts: PartlyKnown, *, account_decides: bool) -> WhoMay | None:
    found = explain(narrowed, facts)
    if found.verdict is Verdict.DENIED:
        return None
    allowing = [*(() if account_decides else narrowed.identity), *narrowed.owner, *narrowed.delegating]
    possible = [one for one in allowing if holds(one, facts) is not False]
    by = next((one for one in possible if holds(one, facts)), possible[0])
    depends = found.verdict is Verdict.DEPENDS
    return WhoMay(
        principal=named,
        source=by.source,
        number=by.number,
        sid=by.sid,
        unknown=unknown_keys((one for _, one in sides_of(narrowed)), facts) if depends else (),
        account_decides=account_decides,
    )
