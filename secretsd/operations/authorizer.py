"""Who may do what: what speaks about a caller and a resource is gathered once, decisions are kept until it changes."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from secretsd.domain.decisions import Decision, Narrowed, Sides
from secretsd.domain.errors import AccessDenied, NotFound
from secretsd.domain.names import Resource
from secretsd.domain.principals import HOST_ROOT, ROOT_ONLY, Principal
from secretsd.operations.cache import RowCache
from secretsd.operations.request_facts import RequestFacts
from secretsd.operations.rows import Rows
from secretsd.operations.rule_sets import RuleSets
from secretsd.ports.storage import RecordName

MAX_DECISIONS = 100_000
OPEN_TO_ALL = frozenset({"GetCallerIdentity", "CreateAccessToken", "EnrolHost"})
"""What everybody with a proven identity may ask: he gets nothing that he did not prove, but in another form."""
_BESIDE_POLICIES = OPEN_TO_ALL | ROOT_ONLY
_NO_TAGS: Mapping[str, str] = {}
_Asked = tuple[str, str, str, str]


class Authorizer:
    """Decides. An attached policy that is missing denies all, so a lost row opens nothing."""

    def __init__(self, rows: Rows, cache: RowCache) -> None:
        self.rules = RuleSets(rows)
        self._rows = rows
        self._decisions: dict[Resource, dict[_Asked, Decision | _Conditional]] = {}
        self._by_principal: dict[tuple[str, str], list[tuple[Resource, _Asked]]] = {}
        self._count = 0
        self._generation = 0
        cache.on_change(self._changed)

    async def require(self, principal: Principal, permission: str, resource: Resource, facts: RequestFacts) -> None:
        """Raise AccessDenied unless the principal may use the permission on the resource."""
        if permission in _BESIDE_POLICIES:
            if permission in ROOT_ONLY and principal != HOST_ROOT:
                raise AccessDenied.without(permission)
            return
        decision = await self.decide(principal, permission, resource, facts)
        if not decision.allowed:
            raise AccessDenied.without(permission)

    async def decide(self, principal: Principal, permission: str, resource: Resource, facts: RequestFacts) -> Decision:
        """The decision, and which statement or grant made it."""
        asked = principal.account, principal.path, principal.session, permission
        known = self._decisions.get(resource)
        found = None if known is None else known.get(asked)
        if found is None:
            found = await self._narrowed(principal, permission, resource, asked)
        if type(found) is Decision:
            return found
        assert isinstance(found, _Conditional)  # noqa: S101  # of the two kinds it is the other one
        return found.narrowed.decide(await self._with_tags(found, principal, resource, facts))

    async def decide_as_if(
        self,
        principal: Principal,
        permission: str,
        resource: Resource,
        facts: RequestFacts,
        as_if: Callable[[Sides], Sides],
    ) -> Decision:
        """What the decision would be if what speaks about the two were as `as_if` makes it; never kept."""
        narrowed = await self.rules.narrowed(principal, permission, resource, as_if)
        return narrowed.decide(await self._with_tags(_Conditional.of(narrowed), principal, resource, facts))

    async def _narrowed(
        self, principal: Principal, permission: str, resource: Resource, asked: _Asked
    ) -> "Decision | _Conditional":
        generation = self._generation
        narrowed = await self.rules.narrowed(principal, permission, resource)
        # Where no condition counts, nothing about a request does.
        kept = _Conditional.of(narrowed) if narrowed.keys() else narrowed.decide(_Nothing())
        if generation == self._generation:
            if self._count >= MAX_DECISIONS:
                self._forget()
            self._decisions.setdefault(resource, {})[asked] = kept
            self._by_principal.setdefault(asked[:2], []).append((resource, asked))
            self._count += 1
        return kept

    async def _with_tags(
        self, of: "_Conditional", principal: Principal, resource: Resource, facts: RequestFacts
    ) -> RequestFacts:
        own = await self.tags(principal.resource) if of.asks_own_tags else _NO_TAGS
        theirs = await self.tags(resource) if of.asks_tags else _NO_TAGS
        boundary = await self.boundary(resource) if of.asks_boundary else ""
        return facts.about(resource, own, theirs, boundary)

    async def tags(self, resource: Resource) -> Mapping[str, str]:
        """The tags of a secret, key, user or role; none where there is none of that name."""
        kind, _, name = resource.path.partition("/")
        try:
            match kind:
                case "secret":
                    return (await self._rows.secret(resource.account, name)).tags
                case "key":
                    return (await self._rows.key(resource.account, name)).tags
                case "user":
                    return (await self._rows.user(resource.account, name)).tags
                case "role":
                    return (await self._rows.role(resource.account, name)).tags
        except NotFound:
            pass
        return _NO_TAGS

    async def boundary(self, resource: Resource) -> str | None:
        """The name of a user's or role's boundary, "" for none; None where it is no user or role, or not there."""
        kind, _, name = resource.path.partition("/")
        try:
            match kind:
                case "user":
                    return (await self._rows.user(resource.account, name)).boundary
                case "role":
                    return (await self._rows.role(resource.account, name)).boundary
        except NotFound:
            pass
        return None

    def _changed(self, names: Sequence[RecordName]) -> None:
        if not names:
            self.rules.forget_all()
            self._forget()
            return
        for table, key in names:
            match table:
                case "users" | "roles":
                    self._forget_principal(key[0], f"{table[:-1]}/{key[1]}")
                case "groups" | "policies":
                    self.rules.forget(table, key)
                    self._forget()
                case "resource_policies":
                    self._forget()  # those of secrets are kept by id, what is asked for is a name
                case "grants":
                    self._forget_resource(Resource(key[0], f"key/{key[1]}"))

    def _forget_principal(self, account: str, path: str) -> None:
        """Only what was decided about him, and about him as a resource: there may be thousands of others."""
        self.rules.forget_principal(account, path)
        self._forget_resource(Resource(account, path))
        for resource, asked in self._by_principal.pop((account, path), ()):
            if (known := self._decisions.get(resource)) is not None:
                known.pop(asked, None)

    def _forget_resource(self, resource: Resource) -> None:
        # What is kept by principal names these still, until it is emptied: so they go on being counted.
        self._generation += 1
        self._decisions.pop(resource, None)

    def _forget(self) -> None:
        self._generation += 1
        self._decisions.clear()
        self._by_principal.clear()
        self._count = 0


class _Conditional(NamedTuple):
    """What decides once the facts are known, and which of them stand in records."""

    narrowed: Narrowed
    asks_own_tags: bool
    asks_tags: bool
    asks_boundary: bool

    @classmethod
    def of(cls, narrowed: Narrowed) -> "_Conditional":
        """Looked through once: a decision is asked for often."""
        keys = narrowed.keys()
        families = {key.partition("/")[0] for key in keys}
        return cls(
            narrowed,
            "secretsd:PrincipalTag" in families,
            "secretsd:ResourceTag" in families,
            "secretsd:PermissionsBoundary" in keys,
        )


class _Nothing:
    """No facts at all, for what asks for none."""

    def get(self, key: str) -> None:
        """None, whatever is asked."""
