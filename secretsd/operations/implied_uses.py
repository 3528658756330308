"""The permissions that calls used beside their own: those of keys, targets and parts, as far as events tell of them."""

from collections.abc import Mapping
from typing import Any

from secretsd.domain.errors import NotFound
from secretsd.domain.names import SYSTEM_ACCOUNT, Resource, split_reference
from secretsd.domain.policy_drafts import Use
from secretsd.operations.key_references import key_id_of
from secretsd.operations.rows import Rows

WRITES = frozenset({"CreateSecret", "PutSecretValue", "UpdateSecret"})
"""What stores values, and so takes data keys of the secret's key."""


class ImpliedUses:
    """Collected from events, then put together from records. `left_out` is what records do not tell any more."""

    def __init__(self, rows: Rows, account: str) -> None:
        self.left_out: set[str] = set()
        self._rows, self._account = rows, account
        self._uses: set[Use] = set()
        self._keys: set[tuple[str, str]] = set()
        self._of_secrets: set[tuple[str, Resource]] = set()
        self._tokens: set[tuple[Resource, str]] = set()

    def note(self, operation: str, resource: Resource, fields: Mapping[str, Any]) -> None:
        """What a successful call took beside its own permission."""
        account = self._account
        match operation:
            case "GetSecretValue":
                self._of_secrets.add(("Decrypt", resource))
            case "BatchGetSecretValue":
                for name in fields.get("read", ()):
                    secret = Resource(account, f"secret/{name}")
                    self._uses.add(Use("GetSecretValue", secret))
                    self._of_secrets.add(("Decrypt", secret))
            case "WatchSecrets":
                self._uses |= {Use(operation, Resource(account, f"secret/{name}")) for name in fields.get("names", ())}
            case "ReEncrypt":
                self._uses.add(Use("ReEncryptFrom", resource))
                # The key that it was then: an alias may lead elsewhere by now.
                owner, _ = split_reference(fields.get("destination_key", ""))
                self._uses.add(Use("ReEncryptTo", Resource(owner or account, f"key/{fields['destination']}")))
            case "CreateAlias" | "UpdateAlias" | "DeleteAlias":
                self._keys |= {(operation, fields[name]) for name in ("key", "left") if name in fields}
            case "CreateKey" if "alias" in fields:
                self._uses.add(Use("CreateAlias", Resource(account, f"alias/{fields['alias']}")))
            case "RotateSecret" if fields.get("target"):
                self._uses.add(Use("UseTarget", Resource(SYSTEM_ACCOUNT, f"target/{fields['target']}")))
        if operation in WRITES:
            self._note_write(operation, resource, fields)

    def _note_write(self, operation: str, resource: Resource, fields: Mapping[str, Any]) -> None:
        self._of_secrets.add(("GenerateDataKey", resource))
        if "key_id" in fields:
            self._keys.add(("GenerateDataKey", fields["key_id"]))
            if operation == "UpdateSecret":
                self.left_out.add(f"Decrypt on the key that {resource} was under before it got another one")
        if "token" in fields:
            if (resource, fields["token"]) in self._tokens:
                self._of_secrets.add(("Decrypt", resource))  # the same again: both values were compared
            self._tokens.add((resource, fields["token"]))

    async def all(self) -> set[Use]:
        """All of them."""
        found = set(self._uses)
        for permission, reference in self._keys:
            key_id = await key_id_of(self._rows, self._account, reference)
            if key_id is None:
                self.left_out.add(f"{permission} on {reference}, which leads to no key any more")
            elif permission != "GenerateDataKey" or not await self._is_default(key_id):
                account, path = split_reference(key_id)
                named = Resource(account or self._account, path if account else f"key/{path}")
                found.add(Use(permission, named))
        for permission, resource in self._of_secrets:
            if resource.account != self._account:
                continue  # which key another account's secret is under is not for this one to know
            try:
                secret = await self._rows.secret(resource.account, resource.path.removeprefix("secret/"))
            except NotFound:
                continue
            if not await self._is_default(secret.key_id):
                owner = await self._rows.owner_of_key(secret.key_id, self._account)
                found.add(Use(permission, Resource(owner, f"key/{secret.key_id}")))
        return found

    async def _is_default(self, key_id: str) -> bool:
        return key_id == (await self._rows.account(self._account)).default_key_id
