"""Which grants there can be: what goes together, what a grantee may pass on, and which end with another. Pure."""

from collections.abc import Iterable, Mapping

from secretsd.domain.errors import AccessDenied, InvalidRequest
from secretsd.domain.grants import CONTEXT_OPERATIONS, UNCONSTRAINED, Grant
from secretsd.domain.policy_rules import is_principal


def require_possible(grant: Grant, now_ms: int) -> None:
    """Raise InvalidRequest for a grant whose parts do not go together, or that could never hold."""
    _require_principals(grant)
    if grant.equals and grant.subset:
        raise InvalidRequest("cannot make the grant: constrain it to the whole context or to a part, not to both")
    if grant.equals or grant.subset:
        free = [name for name in grant.operations if name not in CONTEXT_OPERATIONS | UNCONSTRAINED]
        if free:
            raise InvalidRequest(f"cannot constrain the context of {', '.join(sorted(free))}: they bind none")
    if grant.expires_ms is not None and grant.expires_ms <= now_ms:
        raise InvalidRequest("cannot make the grant: it would be over already")


def _require_principals(grant: Grant) -> None:
    for what, principal in (("grantee", grant.grantee), ("retiring principal", grant.retiring)):
        if principal and (principal == "*" or not is_principal(principal)):
            raise InvalidRequest(f"cannot make the grant: its {what} is not secretsd:<account>:user/<name> or …:role/…")
    if grant.retiring.isdigit():
        raise InvalidRequest("cannot make the grant: its retiring principal is a user or role, not an account")
    if grant.grantee == grant.account:
        # A grant allows by itself within the account, and so would give everybody there what nobody's policy does.
        raise InvalidRequest("cannot grant to all of the key's own account: name a user or role")


def is_within(grant: Grant, other: Grant) -> bool:
    """True where the grant gives nothing that the other one does not: operations, context and time."""
    if not set(grant.operations) <= set(other.operations):
        return False
    if other.expires_ms is not None and (grant.expires_ms is None or grant.expires_ms > other.expires_ms):
        return False
    if other.equals:
        return dict(grant.equals) == dict(other.equals)
    return _has(grant.equals, other.subset) or _has(grant.subset, other.subset)


def parent_of(grant: Grant, own: Iterable[Grant]) -> Grant:
    """The grant among a caller's own that lets him pass this one on; AccessDenied where none of them goes so far."""
    for one in own:
        if "CreateGrant" in one.operations and is_within(grant, one):
            return one
    raise AccessDenied


def with_descendants(grant: Grant, grants: Iterable[Grant]) -> list[Grant]:
    """The grant, and all those of a key that were passed on by it, however often."""
    by_parent: dict[str, list[Grant]] = {}
    for one in grants:
        by_parent.setdefault(one.parent, []).append(one)
    found = [grant]
    for one in found:  # grows as it goes: a parent is always older than what it was passed on as, so there are no rings
        found += by_parent.get(one.id, [])
    return found


def is_same(grant: Grant, other: Grant) -> bool:
    """True where the two give the same to the same: then one of that name is enough."""
    return _given(grant) == _given(other)


def _given(grant: Grant) -> tuple[object, ...]:
    context = dict(grant.equals), dict(grant.subset)
    meant = grant.grantee, grant.grantee_ms, grant.retiring, grant.retiring_ms
    return *meant, set(grant.operations), context, grant.name, grant.expires_ms, grant.by


def _has(context: Mapping[str, str], part: Mapping[str, str]) -> bool:
    return part.items() <= context.items()
