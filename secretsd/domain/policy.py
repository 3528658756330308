"""RAM-like policies: what is kept of them. `policy_document` reads and shows them, `policy_rules` decides by them."""

from dataclasses import dataclass, field
from enum import Enum

from secretsd.domain.conditions import Condition
from secretsd.domain.names import SYSTEM_ACCOUNT
from secretsd.domain.patterns import ResourcePattern

MAX_STATEMENTS = 100
MAX_PATTERNS = 100
_LATER = {"later": True}


class Effect(Enum):
    """What a matching statement does."""

    ALLOW = "Allow"
    DENY = "Deny"


@dataclass(frozen=True, slots=True)
class Statement:
    """Allows or denies the operations that `actions` match on the resources that `resources` match (globs: `*`, `?`).

    A resource without the prefix `secretsd:` belongs to the policy's own account; in a denial `*` alone is every
    resource of every account. `not_actions` and `not_resources` stand for all others, and are empty where the first
    two are given. `principals` is who it speaks of, in policies of resources and roles: `*`, an account, or a
    principal in full (`secretsd:<account>:user/<name>`).
    """

    effect: Effect
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    sid: str = field(default="", metadata=_LATER)
    not_actions: tuple[str, ...] = field(default=(), metadata=_LATER)
    not_resources: tuple[str, ...] = field(default=(), metadata=_LATER)
    principals: tuple[str, ...] = field(default=(), metadata=_LATER)
    conditions: tuple[Condition, ...] = field(default=(), metadata=_LATER)


@dataclass(frozen=True, slots=True)
class Policy:
    """A named list of statements that users, groups and roles are attached to."""

    account: str
    name: str
    statements: tuple[Statement, ...]
    description: str
    created_ms: int
    revision: int = 0


@dataclass(frozen=True, slots=True)
class InlinePolicy:
    """A policy that belongs to one user, group or role, and ends with it."""

    name: str
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class ResourcePolicy:
    """What the owner of a key or secret allows others, or denies. `resource` is `key/<id>`, or `secret-id/<id>`.

    Secrets are named by id: a secret that is made again under the same name is another one.
    """

    account: str
    resource: str
    statements: tuple[Statement, ...]
    changed_ms: int
    revision: int = 0


def denies_in_system(statements: tuple[Statement, ...], account: str) -> bool:
    """True when they may deny something in account `system`, so that taking them away could widen an operator's reach.

    A denial of `*`, or of all but some resources, reaches every account.
    """
    return any(
        statement.effect is Effect.DENY
        and (
            bool(statement.not_resources)
            or any(
                resource == "*" or ResourcePattern.of(resource, account).account == SYSTEM_ACCOUNT
                for resource in statement.resources
            )
        )
        for statement in statements
    )


HARMLESS_IN_SYSTEM = frozenset({"UseTarget"})
"""What an account's administrator may hand on although it is used in `system`: a target's own list decides as well."""


def reaches_system(statements: tuple[Statement, ...], account: str) -> bool:
    """True when they allow something in account `system` that makes an operator; `account` is the policy's own."""
    return any(
        statement.effect is Effect.ALLOW
        and any(
            ResourcePattern.of(resource, account).account == SYSTEM_ACCOUNT
            for resource in (*statement.resources, *statement.not_resources)
        )
        and not (statement.actions and set(statement.actions) <= HARMLESS_IN_SYSTEM)
        for statement in statements
    )
