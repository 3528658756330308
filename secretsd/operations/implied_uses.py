"""The permissions that calls used beside their own: those of keys, targets and parts, as their events tell them."""

from collections.abc import Iterator, Mapping
from typing import Any

from secretsd.domain.names import SYSTEM_ACCOUNT, Resource, split_reference
from secretsd.domain.policy_drafts import Use
from secretsd.operations.call import KEY_USES


def implied_uses(account: str, operation: str, resource: Resource, fields: Mapping[str, Any]) -> Iterator[Use]:
    """What a successful call of `account` took beside its own permission: keys as they were then, not as they are."""
    for used in fields.get(KEY_USES, ()):
        permission, _, key = used.partition(" ")
        yield Use(permission, _key(account, key))
    match operation:
        case "BatchGetSecretValue":
            for name in fields.get("read", ()):
                yield Use("GetSecretValue", Resource(account, f"secret/{name}"))
        case "WatchSecrets":
            for name in fields.get("names", ()):
                yield Use(operation, Resource(account, f"secret/{name}"))
        case "ReEncrypt":
            owner, _ = split_reference(fields.get("destination_key", ""))
            yield Use("ReEncryptFrom", resource)
            yield Use("ReEncryptTo", Resource(owner or account, f"key/{fields['destination']}"))
        case "CreateAlias" | "UpdateAlias" | "DeleteAlias":
            for name in ("key", "left"):
                if name in fields:
                    yield Use(operation, _key(account, fields[name]))
        case "CreateKey" if "alias" in fields:
            yield Use("CreateAlias", Resource(account, f"alias/{fields['alias']}"))
        case "RotateSecret" if fields.get("target"):
            yield Use("UseTarget", Resource(SYSTEM_ACCOUNT, f"target/{fields['target']}"))


def _key(account: str, reference: str) -> Resource:
    """A key as events name it: by its UUID, or in full."""
    owner, path = split_reference(reference)
    return Resource(account, f"key/{path}") if owner is None else Resource(owner, path)
