"""Who may make operators: nobody hands on a reach into account `system` that he has not got himself (SECURITY 13)."""

import contextlib
from collections.abc import AsyncIterator, Iterable

from secretsd.domain.errors import NotFound
from secretsd.domain.names import SYSTEM_ACCOUNT, Resource
from secretsd.domain.policy import Effect, InlinePolicy, Policy, Statement, denies_in_system, reaches_system
from secretsd.domain.principals import Group, Holder, User
from secretsd.operations.call import Call

PAGE = 100
LOST = Statement(Effect.DENY, ("*",), ("*",))
"""What an attached policy does that is missing."""


async def require_operator_for(call: Call, policies: Iterable[Policy | InlinePolicy]) -> None:
    """Raise AccessDenied where one of the policies reaches into `system` and the caller may not do this there himself.

    They are policies of the caller's account. Its own administrator may do everything in his account, and so could
    otherwise write himself such a policy, or a token for somebody who has one.
    """
    if any(reaches_system(policy.statements, call.account) for policy in policies):
        await _require(call)


async def require_operator_for_holder(call: Call, holder: Holder) -> None:
    """As above, for what makes somebody that user or role or a member of that group, or moves what bounds him."""
    if await _reaches(call, holder, set()):
        await _require(call)


async def require_operator_to_loosen(call: Call, holder: Holder, taken: Iterable[Statement]) -> None:
    """As above, where statements are taken from somebody: a denial that bounds an operator is an operator's to lift."""
    if not denies_in_system(tuple(taken), call.account):
        return
    async for one in _spoken_of(call, holder):
        if await _reaches(call, one, set()):
            await _require(call)
            return


async def statements_of(call: Call, holder: Holder) -> list[Statement]:
    """What the policies of a user, group or role say, in it and attached to it; groups of a user are left out."""
    found = [statement for policy in holder.inline for statement in policy.statements]
    for name in holder.policies:
        found += await policy_statements(call, name)
    return found


async def policy_statements(call: Call, name: str) -> tuple[Statement, ...]:
    """What an attached policy says, or does by being missing."""
    try:
        return (await call.parts.rows.policy(call.account, name)).statements
    except NotFound:
        return (LOST,)


async def holders(call: Call, policy: str) -> AsyncIterator[Holder]:
    """All groups, roles and users of the account that have the policy, or are bounded by it."""
    accounts = call.parts.storage.accounts
    for read in (accounts.groups_with, accounts.roles_with, accounts.users_with):
        after = ""
        while found := await read(call.account, policy, after, PAGE):
            for one in found:
                yield one
            after = found[-1].name


async def _spoken_of(call: Call, holder: Holder) -> AsyncIterator[Holder]:
    """Whom the holder's policies speak of: himself, or the members of a group."""
    if not isinstance(holder, Group):
        yield holder
        return
    after = ""
    while found := await call.parts.storage.accounts.members(call.account, holder.name, after, PAGE):
        for one in found:
            yield one
        after = found[-1].name


async def _reaches(call: Call, holder: Holder, seen: set[str]) -> bool:
    """Whether policies of his reach into `system`, or those of his groups, or of roles that name him as trusted.

    One that is missing denies him everything for now; what the others say comes back with it. A role that trusts the
    whole account leaves it to the account who may become it.
    """
    seen.add(holder.path)
    owners: list[Holder] = [holder]
    if isinstance(holder, User):
        for name in holder.groups:
            with contextlib.suppress(NotFound):
                owners.append(await call.parts.rows.group(call.account, name))
    for owner in owners:
        if reaches_system(tuple(await statements_of(call, owner)), call.account):
            return True
    if isinstance(holder, Group):
        return False
    trusted, after = str(Resource(call.account, holder.path)), ""
    while roles := await call.parts.storage.accounts.roles_trusting(call.account, trusted, after, PAGE):
        for role in roles:
            if role.path not in seen and await _reaches(call, role, seen):
                return True
        after = roles[-1].name
    return False


async def _require(call: Call) -> None:
    await call.require(call.operation.name, Resource(SYSTEM_ACCOUNT, call.resource.path))
