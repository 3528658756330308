"""What conditions of policies may know of a request: read from the caller, the principal and the request itself."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from secretsd.domain.conditions import Fact
from secretsd.domain.names import Resource
from secretsd.domain.principals import Principal

Found = tuple[Fact, ...] | None
_NO_TAGS: Mapping[str, str] = {}


class RequestFacts:
    """The facts of one request about one resource. What stands in records comes in by `about`: tags, a boundary."""

    __slots__ = (
        "_boundary", "_principal", "_principal_tags", "_request", "_resource", "_resource_tags", "_way", "now_ms"
    )  # fmt: skip

    def __init__(self, principal: Principal, way: "Way", request: Any, now_ms: int) -> None:
        self._principal = principal
        self._way = way
        self._request = request
        self.now_ms = now_ms
        self._resource: Resource | None = None
        self._principal_tags = self._resource_tags = _NO_TAGS
        self._boundary: str | None = None

    @property
    def way(self) -> "Way":
        """How the request came."""
        return self._way

    def about(
        self,
        resource: Resource,
        principal_tags: Mapping[str, str],
        resource_tags: Mapping[str, str],
        boundary: str | None = None,
    ) -> "RequestFacts":
        """The same request, asked about that resource.

        `boundary` is that of the user or role, "" for none; None where it is no user or role, or is not there yet.
        """
        facts = RequestFacts(self._principal, self._way, self._request, self.now_ms)
        facts._resource, facts._principal_tags, facts._resource_tags = resource, principal_tags, resource_tags
        facts._boundary = boundary
        return facts

    def asking(self, request: Any) -> "RequestFacts":
        """The same call, about another part of what it asks: that part as a request of its own."""
        return RequestFacts(self._principal, self._way, request, self.now_ms)

    def at(self, now_ms: int) -> "RequestFacts":
        """The same request, asked again at another time."""
        return RequestFacts(self._principal, self._way, self._request, now_ms)

    def get(self, key: str) -> Found:
        """See domain.conditions.Facts."""
        family, slash, name = key.partition("/")
        if slash:
            return self._one_of(family, name)
        return _READERS[key](self)

    def _one_of(self, family: str, name: str) -> Found:
        match family:
            case "secretsd:PrincipalTag":
                value = self._principal_tags.get(name)
            case "secretsd:ResourceTag":
                value = self._resource_tags.get(name)
            case "secretsd:RequestTag":
                value = self._mapping("tags").get(name)
            case "secretsd:EncryptionContext":
                value = self._mapping("context").get(name)
            case _:
                return None
        return None if value is None else (value,)

    def _mapping(self, name: str) -> Mapping[str, str]:
        found = getattr(self._request, name, None)
        return found if isinstance(found, Mapping) else _NO_TAGS

    def _named(self, *names: str) -> Found:
        """Texts of fields that hold one or several, those fields together."""
        found: list[str] = []
        for name in names:
            value = getattr(self._request, name, None)
            if isinstance(value, str):
                found.append(value)
            elif isinstance(value, Sequence):
                found += value
        return tuple(found) or None

    def _permissions_boundary(self) -> Found:
        """A request that could set one and does not sets none; who is there already has to be bounded by it as well.

        Else whoever may put a boundary, the right one alone, could put it on his own administrator.
        """
        if not hasattr(self._request, "boundary"):
            return _text(self._boundary or "")
        boundary = self._request.boundary or ""
        return _text(boundary) if self._boundary in (None, boundary) else None

    def _tag_keys(self) -> Found:
        """Those that it takes away as well as those that it sets."""
        return tuple(self._mapping("tags")) or self._named("tag_keys")


class Way:
    """How a request came, as conditions see it. `address` is "" for Unix sockets.

    `find_unit` tells the peer's systemd unit; it is called once, when somebody asks for that first. `is_of_host` tells
    whether the peer is surely a process of the daemon's own host and of no container; it is called each time.
    """

    __slots__ = ("_find_unit", "_is_of_host", "_unit", "address", "secure", "uid")

    def __init__(
        self,
        address: str = "",
        secure: bool = True,
        uid: int | None = None,
        unit: str = "",
        find_unit: Callable[[], str] | None = None,
        is_of_host: Callable[[], bool] = lambda: False,
    ) -> None:
        self.address, self.secure, self.uid, self._unit = address, secure, uid, unit
        self._find_unit, self._is_of_host = find_unit, is_of_host

    @property
    def unit(self) -> str:
        """The systemd unit at the other end of a Unix socket; "" for none, or none that is sure."""
        if self._find_unit is not None:
            self._unit, self._find_unit = self._find_unit(), None
        return self._unit

    @property
    def is_root_of_host(self) -> bool:
        """Whether uid 0 is at the other end, and surely the host's own: root of a container is another's."""
        return self.uid == 0 and self._is_of_host()


SCHEDULED = Way()
"""The way of scheduled work, which comes from nowhere."""


def _text(text: str) -> Found:
    return (text,) if text else None


def _number(number: int | None) -> Found:
    return None if number is None else (number,)


def _proof_kind(facts: RequestFacts) -> Found:
    kind = facts._principal.proof.partition(":")[0].partition("/")[0]
    return _text(kind)


_READERS: dict[str, Callable[[RequestFacts], Found]] = {
    "secretsd:CurrentTime": lambda facts: (facts.now_ms,),
    "secretsd:SourceIp": lambda facts: _text(facts._way.address),
    "secretsd:SecureTransport": lambda facts: (int(facts._way.secure),),
    "secretsd:UnixUid": lambda facts: _number(facts._way.uid),
    "secretsd:SystemdUnit": lambda facts: _text(facts._way.unit),
    "secretsd:ProofKind": _proof_kind,
    "secretsd:Principal": lambda facts: (str(facts._principal.resource),),
    "secretsd:PrincipalAccount": lambda facts: (facts._principal.account,),
    "secretsd:SessionName": lambda facts: _text(facts._principal.session_name),
    "secretsd:TokenIssueTime": lambda facts: _number(facts._principal.issued_ms),
    "secretsd:ExternalId": lambda facts: facts._named("external_id"),
    "secretsd:ResourceAccount": lambda facts: None if facts._resource is None else (facts._resource.account,),
    "secretsd:PermissionsBoundary": lambda facts: facts._permissions_boundary(),
    "secretsd:TagKeys": lambda facts: facts._tag_keys(),
    "secretsd:EncryptionContextKeys": lambda facts: tuple(facts._mapping("context")) or None,
    "secretsd:VersionStage": lambda facts: facts._named("stage", "stages", "version_stage"),
    "secretsd:VersionId": lambda facts: facts._named("version_id"),
}
"""One for each key of `domain.condition_keys` that is no family; a test keeps the two alike."""
