"""Who may do what: policies compiled once a user, decisions remembered until a user or policy changes."""

from collections.abc import Sequence

from secretsd.domain.errors import AccessDenied, NotFound
from secretsd.domain.names import SYSTEM_ACCOUNT, Resource
from secretsd.domain.policy import Effect, Policy, Rules, Statement
from secretsd.domain.principals import KEY_ROTATION_ROLE, ROTATION_ROLE, Principal
from secretsd.operations.cache import RowCache
from secretsd.operations.registry import OPERATIONS
from secretsd.operations.rows import Rows
from secretsd.ports.storage import RecordName

MAX_DECISIONS = 100_000
OPEN_TO_ALL = frozenset({"GetCallerIdentity"})
"""What everybody with a proven identity may ask: it tells nothing that the caller did not prove."""
KEY_ROTATION_STEPS = ("RenewKey", "ContinueReEncryption")
KEY_STEPS = ("BeginKeyErasure", "EraseKey", "ExpireKeyMaterial", "RewrapKeyVersion")
"""The other scheduled steps that act on keys. What is named in neither acts on secrets, and on nothing else."""


def rotation_rules(account: str) -> Rules:
    """What an account's rotation role may do: the steps of scheduled work on secrets and keys of its account."""
    steps = {operation.name for operation in OPERATIONS.values() if operation.route is None}
    statements = (
        Statement(Effect.ALLOW, tuple(sorted(steps.difference(KEY_STEPS, KEY_ROTATION_STEPS))), ("secret/*",)),
        Statement(Effect.ALLOW, KEY_STEPS, ("key/*",)),
        Statement(Effect.ALLOW, ("Decrypt", "GenerateDataKey"), ("key/*",)),
        # Which logins of which target are the account's stands in the target itself, and is looked at in every step.
        Statement(Effect.ALLOW, ("UseTarget",), (f"secretsd:{SYSTEM_ACCOUNT}:target/*",)),
    )
    return Rules([Policy(account, "rotation", statements, "", 0)])


def key_rotation_rules(account: str) -> Rules:
    """What an account's key rotation role may do: renew keys of its account, and re-encrypt what is under them."""
    return Rules([Policy(account, "key-rotation", (Statement(Effect.ALLOW, KEY_ROTATION_STEPS, ("key/*",)),), "", 0)])


SCHEDULED_ROLES = {ROTATION_ROLE: rotation_rules, KEY_ROTATION_ROLE: key_rotation_rules}
"""What the roles of scheduled work may do, by role; whatever none of them names is denied to it."""


class Authorizer:
    """Decides by the policies attached to a user. One that is missing denies all, so a lost row opens nothing."""

    def __init__(self, rows: Rows, cache: RowCache) -> None:
        self._rows = rows
        self._rules: dict[tuple[str, str], Rules] = {}
        self._decisions: dict[tuple[str, str, str, str, str], bool] = {}
        self._generation = 0
        cache.on_change(self._changed)

    async def require(self, principal: Principal, permission: str, resource: Resource) -> None:
        """Raise AccessDenied unless the principal may use the permission on the resource."""
        if permission in OPEN_TO_ALL:
            return
        asked = (principal.account, principal.path, permission, resource.account, resource.path)
        allowed = self._decisions.get(asked)
        if allowed is None:
            generation = self._generation
            rules = await self._rules_of(principal)
            allowed = rules.allow(principal.account, permission, resource)
            if generation == self._generation:
                if len(self._decisions) >= MAX_DECISIONS:
                    self._decisions.clear()
                self._decisions[asked] = allowed
        if not allowed:
            raise AccessDenied

    async def _rules_of(self, principal: Principal) -> Rules:
        name = principal.account, principal.path
        found = self._rules.get(name)
        if found is not None:
            return found
        generation = self._generation
        if principal.path in SCHEDULED_ROLES:
            rules = SCHEDULED_ROLES[principal.path](principal.account)
        else:
            try:
                user = await self._rows.user(principal.account, principal.name)
                rules = Rules([await self._rows.policy(user.account, policy) for policy in user.policies])
            except NotFound:
                rules = Rules(())
        if generation == self._generation:
            if len(self._rules) >= MAX_DECISIONS:
                self._rules.clear()
            self._rules[name] = rules
        return rules

    def _changed(self, names: Sequence[RecordName]) -> None:
        if not names or any(table in ("users", "policies") for table, _ in names):
            self._generation += 1
            self._rules.clear()
            self._decisions.clear()
