"""RAM-like policies: what a statement says, how it matches, and how statements decide. Default deny, deny wins."""

import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from secretsd.domain.errors import InvalidRequest
from secretsd.domain.names import SYSTEM_ACCOUNT, Resource, is_account

MAX_PATTERN_LENGTH = 600
MAX_PATTERNS = 100
MAX_STATEMENTS = 100


class Effect(Enum):
    """What a matching statement does."""

    ALLOW = "Allow"
    DENY = "Deny"


@dataclass(frozen=True, slots=True)
class Statement:
    """Allows or denies the operations that `actions` match on the resources that `resources` match (globs: `*`, `?`).

    A resource without the prefix `secretsd:` belongs to the policy's own account.
    """

    effect: Effect
    actions: tuple[str, ...]
    resources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A named list of statements that users are attached to."""

    account: str
    name: str
    statements: tuple[Statement, ...]
    description: str
    created_ms: int
    revision: int = 0


def check_statements(statements: Iterable[Statement], operations: frozenset[str]) -> None:
    """Raise InvalidRequest unless each statement can be understood and each action without a glob is an operation."""
    counted = list(statements)
    if not 1 <= len(counted) <= MAX_STATEMENTS:
        raise InvalidRequest(f"cannot accept the policy: it needs 1 to {MAX_STATEMENTS} statements")
    for number, statement in enumerate(counted, 1):
        where = f"cannot accept statement {number} of the policy"
        for patterns, what in ((statement.actions, "actions"), (statement.resources, "resources")):
            if not 1 <= len(patterns) <= MAX_PATTERNS or any(
                not 1 <= len(pattern) <= MAX_PATTERN_LENGTH for pattern in patterns
            ):
                raise InvalidRequest(f"{where}: 1 to {MAX_PATTERNS} {what} of 1 to {MAX_PATTERN_LENGTH} characters")
        for action in statement.actions:
            if not any(_glob(action).match(name) for name in operations):
                raise InvalidRequest(f"{where}: an action matches no operation")
        for resource in statement.resources:
            if resource.startswith("secretsd:"):
                parts = resource.split(":", 2)
                if len(parts) != 3 or not is_account(parts[1]) or not parts[2]:
                    raise InvalidRequest(f"{where}: the form of a full resource is secretsd:<account>:<path>")


HARMLESS_IN_SYSTEM = frozenset({"UseTarget"})
"""What an account's administrator may hand on although it is used in `system`: a target's own list decides as well."""


def reaches_system(policy: Policy) -> bool:
    """True when the policy allows something in account `system` that makes an operator."""
    return any(
        statement.effect is Effect.ALLOW
        and any(_located(resource, policy.account)[0] == SYSTEM_ACCOUNT for resource in statement.resources)
        and not set(statement.actions) <= HARMLESS_IN_SYSTEM
        for statement in policy.statements
    )


class Rules:
    """Statements made ready to decide: compiled once, asked often. Pure; safe to share."""

    __slots__ = ("_allows", "_denies")

    def __init__(self, policies: Iterable[Policy]) -> None:
        self._denies: list[tuple[tuple[re.Pattern[str], ...], tuple[tuple[str, re.Pattern[str]], ...]]] = []
        self._allows: list[tuple[tuple[re.Pattern[str], ...], tuple[tuple[str, re.Pattern[str]], ...]]] = []
        for policy in policies:
            for statement in policy.statements:
                actions = tuple(_glob(action) for action in statement.actions)
                resources = tuple(_located(resource, policy.account) for resource in statement.resources)
                side = self._denies if statement.effect is Effect.DENY else self._allows
                side.append((actions, resources))

    def allow(self, caller_account: str, operation: str, resource: Resource) -> bool:
        """True when some statement allows the operation and none denies it.

        Nothing reaches into another account, except that a statement which names the account `system` does so there.
        """
        if resource.account not in (caller_account, SYSTEM_ACCOUNT):
            return False
        return not _matches(self._denies, operation, resource) and _matches(self._allows, operation, resource)


def _matches(
    statements: list[tuple[tuple[re.Pattern[str], ...], tuple[tuple[str, re.Pattern[str]], ...]]],
    operation: str,
    resource: Resource,
) -> bool:
    return any(
        any(action.match(operation) for action in actions)
        and any(account == resource.account and path.match(resource.path) for account, path in resources)
        for actions, resources in statements
    )


def _located(pattern: str, own_account: str) -> tuple[str, re.Pattern[str]]:
    if pattern.startswith("secretsd:"):
        _, account, path = pattern.split(":", 2)
        return account, _glob(path)
    return own_account, _glob(pattern)


@lru_cache(maxsize=4096)
def _glob(pattern: str) -> re.Pattern[str]:
    # fnmatch writes each "*" as an atomic group, so that no pattern can blow up; brackets are no globs here. A list is
    # named by its prefix and a star, which stands for every name under it: one character "?" must not cover that.
    return re.compile(fnmatch.translate(pattern.replace("[", "[[]").replace("?", "[!*]")))
