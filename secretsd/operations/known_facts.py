"""What is known of a request that nobody has made: what was given, and what stands in records."""

from collections.abc import Mapping, Sequence

from secretsd.domain.conditions import Fact
from secretsd.domain.errors import InvalidRequest
from secretsd.domain.explanations import PartlyKnown, read_fact
from secretsd.domain.names import Resource
from secretsd.domain.principals import ROOT_ONLY
from secretsd.operations.authorizer import OPEN_TO_ALL, Authorizer
from secretsd.operations.registry import OPERATIONS, permissions

FOLLOWING = ("secretsd:Principal", "secretsd:PrincipalAccount", "secretsd:ResourceAccount")
BESIDE_POLICIES = OPEN_TO_ALL | ROOT_ONLY


def require_permission(action: str) -> None:
    """Raise InvalidRequest where there is no such permission."""
    if action not in permissions():
        raise InvalidRequest("cannot look at the action: there is no operation of that name")


def read_facts(given: Mapping[str, Sequence[str]]) -> dict[str, tuple[Fact, ...]]:
    """Facts out of their text; InvalidRequest for one that cannot be, or that follows from the request itself."""
    for key in FOLLOWING:
        if key in given:
            raise InvalidRequest(f"cannot take the fact {key}: it follows from the principal and the resource")
    return {key: read_fact(key, values) for key, values in given.items()}


class KnownOfResource:
    """What is known of requests about one resource. `shown`: its records may be looked at.

    Of a resource whose records may not be seen nothing is known but whose it is.
    """

    def __init__(self, tags: Mapping[str, str] | None, boundary: str | None, resource: Resource, now_ms: int) -> None:
        self._known: dict[str, tuple[Fact, ...]] = {
            "secretsd:CurrentTime": (now_ms,),
            "secretsd:ResourceAccount": (resource.account,),
        }
        self._whole = set()
        if tags is not None:
            self._known |= _tags("secretsd:ResourceTag", tags)
            self._whole.add("secretsd:ResourceTag")
        if boundary is not None:
            self._known["secretsd:PermissionsBoundary"] = (boundary,) if boundary else ()

    @classmethod
    async def of(
        cls, authorizer: Authorizer, action: str, resource: Resource, now_ms: int, *, shown: bool
    ) -> "KnownOfResource":
        """Read from records. A request that could set a boundary says itself which one it is about."""
        if not shown:
            return cls(None, None, resource, now_ms)
        operation = OPERATIONS.get(action)
        sets_one = operation is not None and "boundary" in operation.request.__struct_fields__
        boundary = None if sets_one else await authorizer.boundary(resource) or ""
        return cls(await authorizer.tags(resource), boundary, resource, now_ms)

    def to(
        self,
        principal: Resource | None,
        account: str | None,
        tags: Mapping[str, str] | None,
        given: Mapping[str, tuple[Fact, ...]] | None = None,
    ) -> PartlyKnown:
        """Asked by a principal, as far as he is known; None where he is not. What is given goes before records."""
        known, whole = dict(self._known), set(self._whole)
        if principal is not None:
            known["secretsd:Principal"] = (str(principal),)
        if account is not None:
            known["secretsd:PrincipalAccount"] = (account,)
        if tags is not None:
            known |= _tags("secretsd:PrincipalTag", tags)
            whole.add("secretsd:PrincipalTag")
        return PartlyKnown(known | dict(given or {}), frozenset(whole))


def _tags(family: str, tags: Mapping[str, str]) -> dict[str, tuple[Fact, ...]]:
    return {f"{family}/{name}": (value,) for name, value in tags.items()}
