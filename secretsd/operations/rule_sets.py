"""The policies that speak about a caller and about a resource, compiled once each and put together as sides."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from secretsd.domain.across_accounts import ACROSS_ACCOUNTS
from secretsd.domain.decisions import Granting, Narrowed, Sides
from secretsd.domain.errors import NotFound
from secretsd.domain.grants import MAX_GRANTS, ReadyGrant
from secretsd.domain.keys import CMK
from secretsd.domain.names import Resource
from secretsd.domain.policy import Effect, InlinePolicy, Statement
from secretsd.domain.policy_rules import Rules, Who
from secretsd.domain.principals import Principal
from secretsd.domain.secrets import Secret
from secretsd.operations.rows import Rows
from secretsd.operations.scheduled_roles import SCHEDULED_ROLES

MAX_KEPT = 50_000
_NOTHING = Rules("nothing", "", ())
_LOST = (Statement(Effect.DENY, (), ("*",), not_actions=("PutResourcePolicy",), principals=("*",)),)


class _Identity(NamedTuple):
    """A principal's own policies, what bounds them, and when it was made."""

    rules: tuple[Rules, ...]
    boundary: Rules | None
    since_ms: int = 0


class OwnersSide(NamedTuple):
    """What the owner of a resource says of it: its own policy, and the grants on it."""

    policy: Rules | None = None
    grants: Sequence[Granting] = ()


class RuleSets:
    """Compiled policies by name, and each principal's as a whole; dropped as their rows change."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._policies: dict[tuple[str, str], Rules] = {}
        self._principals: dict[tuple[str, str], _Identity] = {}
        self._generation = 0

    async def narrowed(
        self,
        principal: Principal,
        permission: str,
        resource: Resource,
        as_if: Callable[[Sides], Sides] | None = None,
        owners: OwnersSide | None = None,
    ) -> Narrowed:
        """What decides whether the principal may use the permission on the resource.

        `as_if` makes of what speaks about the two something else, to ask what would be then. `owners` is what the
        resource's owner says, where that has been read before, or is not to be looked at.
        """
        identity = await self._of(principal)
        if owners is None:
            owners = await self.owners_side(resource)
        sides = await self._sides(principal, identity, resource, owners)
        if permission not in ACROSS_ACCOUNTS and resource.account != principal.account:
            # No owner can hand this on to another account. In `system` nobody is asked anyhow.
            sides = replace(sides, resource=None, grants=())
        if as_if is not None:
            sides = as_if(sides)
        return sides.narrowed(Who(principal.account, principal.path, identity.since_ms), permission, resource)

    async def who(self, principal: Principal) -> Who:
        """The principal as policies and grants name him."""
        return Who(principal.account, principal.path, (await self._of(principal)).since_ms)

    async def _sides(self, principal: Principal, identity: _Identity, resource: Resource, owners: OwnersSide) -> Sides:
        """All that speaks about the two. What is attached and missing leaves a principal nothing at all."""
        session = None
        if principal.session:
            session = await self._session_policy(principal.session)
        guarded = resource.path.startswith("role/")
        return Sides(identity.rules, identity.boundary, session, owners.policy, owners.grants, guarded=guarded)

    async def _of(self, principal: Principal) -> "_Identity":
        name = principal.account, principal.path
        found = self._principals.get(name)
        if found is None:
            generation = self._generation
            try:
                found = await self._gathered(principal)
            except NotFound:
                found = _Identity((), _NOTHING)
            if generation == self._generation:
                if len(self._principals) >= MAX_KEPT:
                    self._principals.clear()
                self._principals[name] = found
        return found

    async def _gathered(self, principal: Principal) -> "_Identity":
        account = principal.account
        if principal.path in SCHEDULED_ROLES:
            return _Identity((SCHEDULED_ROLES[principal.path](account),), None)
        if principal.path.startswith("role/"):
            role = await self._rows.role(account, principal.name)
            rules = await self._attached(account, role.policies, role.inline, principal.path)
            return _Identity(rules, await self._boundary(account, role.boundary), role.created_ms)
        user = await self._rows.user(account, principal.name)
        found = list(await self._attached(account, user.policies, user.inline, principal.path))
        for name in user.groups:
            group = await self._rows.group(account, name)
            found += await self._attached(account, group.policies, group.inline, f"group/{name}")
        return _Identity(tuple(found), await self._boundary(account, user.boundary), user.created_ms)

    async def _attached(
        self, account: str, policies: Sequence[str], inline: Iterable[InlinePolicy], owner: str
    ) -> tuple[Rules, ...]:
        own = tuple(Rules(f"{owner}/inline-policy/{policy.name}", account, policy.statements) for policy in inline)
        return own + tuple([await self._policy(account, name) for name in policies])

    async def _boundary(self, account: str, name: str) -> Rules | None:
        return await self._policy(account, name) if name else None

    async def _policy(self, account: str, name: str) -> Rules:
        found = self._policies.get((account, name))
        if found is None:
            generation = self._generation
            policy = await self._rows.policy(account, name)
            found = Rules(f"policy/{name}", account, policy.statements)
            if generation == self._generation:
                if len(self._policies) >= MAX_KEPT:
                    self._policies.clear()
                self._policies[account, name] = found
        return found

    async def _session_policy(self, digest: str) -> Rules | None:
        try:
            session = await self._rows.session(digest)
        except NotFound:
            return _NOTHING
        return Rules("session policy", session.account, session.policy) if session.policy else None

    async def owners_side(self, resource: Resource) -> OwnersSide:
        """The policy of the resource itself, and the grants on it."""
        kind, _, name = resource.path.partition("/")
        grants: Sequence[Granting] = ()
        try:
            match kind:
                case "key":
                    found = await self._rows.grants(resource.account, name, MAX_GRANTS)
                    there = {"", *(grant.id for grant in found)}
                    grants = tuple(ReadyGrant(grant) for grant in found if grant.parent in there)
                    key = await self._rows.key(resource.account, name)
                    return OwnersSide(await self._policy_of(key, resource.path), grants)
                case "secret" if not name.endswith("*"):
                    secret = await self._rows.secret(resource.account, name)
                    return OwnersSide(await self._policy_of(secret, f"secret-id/{secret.id}"))
                case "role":
                    role = await self._rows.role(resource.account, name)
                    return OwnersSide(Rules("trust policy", resource.account, role.trust))
        except NotFound:
            pass
        return OwnersSide(None, grants)

    async def _policy_of(self, of: CMK | Secret, stored: str) -> Rules | None:
        """The policy of a key or secret. One that is lost may have been a denial: all is denied but to put it anew."""
        if not of.has_policy:
            return None
        try:
            policy = await self._rows.resource_policy(of.account, stored)
        except NotFound:
            return Rules("resource policy that is missing", of.account, _LOST)
        return Rules("resource policy", of.account, policy.statements)

    def forget(self, table: str, key: tuple[str, ...]) -> None:
        """A row of groups or policies changed: of whom it speaks stands with each principal."""
        self._generation += 1
        if table == "policies":
            self._policies.pop((key[0], key[1]), None)
        self._principals.clear()

    def forget_principal(self, account: str, path: str) -> None:
        """The row of that user or role changed."""
        self._generation += 1
        self._principals.pop((account, path), None)

    def forget_all(self) -> None:
        """Anything may have changed."""
        self._generation += 1
        self._policies.clear()
        self._principals.clear()
