"""Who may make operators: nobody hands on a reach into account `system` that he has not got himself (SECURITY 13)."""

import contextlib
from collections.abc import Iterable

from secretsd.domain.errors import NotFound
from secretsd.domain.names import SYSTEM_ACCOUNT, Resource
from secretsd.domain.policy import Policy, reaches_system
from secretsd.domain.principals import User
from secretsd.operations.call import Call


async def require_operator_for(call: Call, policies: Iterable[Policy]) -> None:
    """Raise AccessDenied where one of the policies reaches into `system` and the caller may not do this there himself.

    An account's own administrator may do everything in his account, and so could otherwise write himself such a policy,
    or a token for somebody who has one.
    """
    if any(map(reaches_system, policies)):
        await call.require(call.operation.name, Resource(SYSTEM_ACCOUNT, call.resource.path))


async def require_operator_for_user(call: Call, user: User) -> None:
    """As above, for what proves somebody to be that user."""
    policies = []
    for name in user.policies:
        # One that is missing denies that user everything for now; what the others say comes back with it.
        with contextlib.suppress(NotFound):
            policies.append(await call.parts.rows.policy(user.account, name))
    await require_operator_for(call, policies)
