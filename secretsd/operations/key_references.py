"""Which CMK a reference means: a UUID, an alias, or either in full; and whose the key of a ciphertext is."""

from typing import TypeVar

import msgspec

from secretsd.api.cryptography import OfCiphertext
from secretsd.api.fields import Request
from secretsd.api.keys import OfKey
from secretsd.api.policy_explanations import WhoCanRequest
from secretsd.api.resource_policies import OfPolicyOfResource
from secretsd.api.secrets import OfTagged
from secretsd.domain.errors import NotFound
from secretsd.domain.names import Resource, split_reference
from secretsd.operations.rows import Rows

R = TypeVar("R", bound=Request)
OF_ALIASES = frozenset({"CreateAlias", "UpdateAlias", "DeleteAlias", "ListAliases"})
"""Permissions that are asked for on an alias itself; all others on the key that it leads to."""
_NAMING_A_KEY = (OfKey, OfCiphertext)
_NAMING_ANYTHING = (OfTagged, OfPolicyOfResource, WhoCanRequest)


async def resolved(rows: Rows, account: str, request: R) -> R:
    """The request with its key in place of what stands for it; unchanged where that leads nowhere.

    A key of `account`, the caller's, is its UUID then, and one of another account `secretsd:<account>:key/<uuid>`.
    """
    if isinstance(request, _NAMING_ANYTHING):
        named, path = split_reference(request.resource)
        itself = isinstance(request, WhoCanRequest) and request.action in OF_ALIASES
        if named not in (None, account) or not path.startswith("alias/") or itself:
            return request
        found = await key_id_of(rows, account, path)
        return request if found is None else msgspec.structs.replace(request, resource=f"key/{found}")
    if not isinstance(request, _NAMING_A_KEY):
        return request
    if request.key is None or ("/" not in request.key and ":" not in request.key):
        return request  # by far the most
    found = await key_id_of(rows, account, request.key)
    return request if found is None else msgspec.structs.replace(request, key=found)


async def owned(rows: Rows, resource: Resource) -> Resource:
    """The key that a ciphertext names, with whose it is; one that nobody has stays the caller's."""
    key_id = resource.path.removeprefix("key/")
    return Resource(await rows.owner_of_key(key_id, resource.account), resource.path)


async def key_id_of(rows: Rows, account: str, reference: str) -> str | None:
    """What a reference stands for: a UUID, of another account's key in full; None for an alias that is none."""
    named, path = split_reference(reference)
    owner = named or account
    kind, _, name = path.rpartition("/") if path.startswith("key/") else path.partition("/")
    key_id = name or kind
    if kind == "alias":
        try:
            key_id = (await rows.alias(owner, name)).key_id
        except NotFound:
            return None
    return key_id if owner == account else str(Resource(owner, f"key/{key_id}"))


def owner_and_id(account: str, reference: str) -> tuple[str, str]:
    """Account and UUID of a key as `resolved` leaves it; `account` is the caller's."""
    owner, path = split_reference(reference)
    return (account, path) if owner is None else (owner, path.removeprefix("key/"))
