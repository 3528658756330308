"""What users, groups and roles have in common: policies attached to them or of their own, and how they are called."""

from typing import TypeVar

from secretsd.domain.policy import Policy
from secretsd.domain.principals import Group, Holder, Role, User
from secretsd.operations.call import Call

H = TypeVar("H", User, Group, Role)


def called(holder: Holder) -> str:
    """How errors name it: `user ann`."""
    return holder.path.replace("/", " ", 1)


def inline_names(holder: Holder) -> tuple[str, ...]:
    """The names of its own policies."""
    return tuple(policy.name for policy in holder.inline)


async def policy_to_hold(call: Call, name: str) -> Policy:
    """A policy that somebody is about to get: the next commit holds only if it is still there as it was read."""
    policy = await call.parts.rows.policy(call.account, name)
    call.rest_on(policy)
    return policy
