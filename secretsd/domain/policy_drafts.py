"""Policies drafted from what was used: they allow that and nothing else, but where a pattern is asked for. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from secretsd.domain.errors import LimitExceeded
from secretsd.domain.names import Resource
from secretsd.domain.patterns import MAX_PATTERN_LENGTH
from secretsd.domain.policy import MAX_PATTERNS, MAX_STATEMENTS, Effect, Statement


class Use(NamedTuple):
    """A permission that was used on a resource. `listing`: its path ends in a star that names a list."""

    permission: str
    resource: Resource
    listing: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """Statements that allow what was used. `generalised` are patterns wider than that, `left_out` what has none."""

    statements: tuple[Statement, ...]
    generalised: tuple[str, ...]
    left_out: tuple[str, ...]


_Permissions = frozenset[str]


def draft(uses: Iterable[Use], account: str, most_alike: int | None = None) -> Draft:
    """A policy of `account` that allows these uses; LimitExceeded where one policy has no room for them.

    Each statement joins resources that were used by the very same permissions, so that no pair is allowed which was
    not used. With `most_alike` those under one path become a pattern where there are more of them.
    """
    left_out: set[str] = set()
    used: defaultdict[Resource, set[str]] = defaultdict(set)
    for use in uses:
        if _can_be_named(use):
            used[use.resource].add(use.permission)
        else:
            left_out.add(f"{use.permission} on {use.resource}")
    alike: defaultdict[_Permissions, list[Resource]] = defaultdict(list)
    for resource, permissions in used.items():
        alike[frozenset(permissions)].append(resource)
    generalised: set[str] = set()
    patterns: dict[_Permissions, list[str]] = {}
    for together, resources in alike.items():
        if most_alike is not None:
            resources, wider = _generalised(resources, most_alike)
            generalised.update(_written(one, account) for one in wider)
        patterns[together] = sorted(_written(one, account) for one in resources)
    return Draft(_statements(patterns), tuple(sorted(generalised)), tuple(sorted(left_out)))


def _can_be_named(use: Use) -> bool:
    """Whether a pattern means just this resource: none can name a `*` or `?` that is part of a name."""
    path = use.resource.path
    name = path.removesuffix("*") if use.listing else path
    return not any(sign in name for sign in ("*", "?", "${")) and len(str(use.resource)) <= MAX_PATTERN_LENGTH


def _written(resource: Resource, account: str) -> str:
    own = resource.account == account and not resource.path.startswith("secretsd:")
    return resource.path if own else str(resource)


def _generalised(resources: Iterable[Resource], most: int) -> tuple[list[Resource], list[Resource]]:
    """The resources with patterns in place of more than `most` under one path, the deepest paths first."""
    found, wider = set(resources), set[Resource]()
    depth = max((one.path.count("/") for one in found), default=0)
    for level in range(depth, 0, -1):
        under: defaultdict[Resource, list[Resource]] = defaultdict(list)
        for one in found:
            parts = one.path.split("/")
            if len(parts) > level and not (one.path.endswith("*") and one not in wider):
                under[Resource(one.account, "/".join(parts[:level]) + "/*")].append(one)
        for pattern, children in under.items():
            if len(children) > most:
                found -= set(children)
                found.add(pattern)
                wider.difference_update(children)
                wider.add(pattern)
    return list(found), list(wider)


def _statements(patterns: Mapping[_Permissions, list[str]]) -> tuple[Statement, ...]:
    """The same pairs by resources used alike or by permission, whichever takes fewer statements."""
    by_use = [
        Statement(Effect.ALLOW, tuple(sorted(permissions)), tuple(part))
        for permissions, listed in sorted(patterns.items(), key=lambda one: (one[1], sorted(one[0])))
        for part in _parts(listed)
    ]
    by_permission: defaultdict[str, set[str]] = defaultdict(set)
    for permissions, listed in patterns.items():
        for permission in permissions:
            by_permission[permission].update(listed)
    singly = [
        Statement(Effect.ALLOW, (permission,), tuple(part))
        for permission, listed_once in sorted(by_permission.items())
        for part in _parts(sorted(listed_once))
    ]
    shorter = by_use if len(by_use) <= len(singly) else singly
    if len(shorter) > MAX_STATEMENTS:
        raise LimitExceeded(
            f"cannot draft the policy: it takes {len(shorter)} statements of {MAX_STATEMENTS} that one may have; let "
            "patterns stand for names that were used alike (generalise), or look at fewer days"
        )
    return tuple(shorter)


def _parts(listed: list[str]) -> Iterable[list[str]]:
    return (listed[at : at + MAX_PATTERNS] for at in range(0, len(listed), MAX_PATTERNS))
