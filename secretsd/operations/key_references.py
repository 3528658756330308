"""Which CMK a reference means: a UUID, an alias, or either in full."""

from typing import TypeVar

import msgspec

from secretsd.api.cryptography import OfCiphertext
from secretsd.api.fields import Request
from secretsd.api.keys import OfKey
from secretsd.api.secrets import OfTagged
from secretsd.domain.errors import NotFound
from secretsd.operations.rows import Rows

R = TypeVar("R", bound=Request)
_NAMING_A_KEY = (OfKey, OfCiphertext)


async def resolved(rows: Rows, account: str, request: R) -> R:
    """The request with its key's UUID in place of what stands for it; unchanged where that leads nowhere."""
    if isinstance(request, OfTagged) and request.resource.startswith("alias/"):
        found = await key_id_of(rows, account, request.resource)
        return request if found is None else msgspec.structs.replace(request, resource=f"key/{found}")
    if not isinstance(request, _NAMING_A_KEY):
        return request
    if request.key is None or ("/" not in request.key and ":" not in request.key):
        return request  # by far the most
    found = await key_id_of(rows, account, request.key)
    return request if found is None else msgspec.structs.replace(request, key=found)


async def key_id_of(rows: Rows, account: str, reference: str) -> str | None:
    """The UUID that a reference stands for; None for an alias that is none, and for what is another account's."""
    if reference.startswith("secretsd:"):
        _, owner, reference = reference.split(":", 2)
        if owner != account:
            return None
    kind, _, name = reference.rpartition("/") if reference.startswith("key/") else reference.partition("/")
    if kind != "alias":
        return name or kind
    try:
        return (await rows.alias(account, name)).key_id
    except NotFound:
        return None
