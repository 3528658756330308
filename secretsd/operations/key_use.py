"""CMKs that callers use themselves: in a state to be used, not the service's own, by an algorithm that they have."""

from enum import Enum
from typing import TypeVar

from secretsd.domain.errors import InvalidKeyUsage, InvalidRequest
from secretsd.domain.key_specs import KeyUsage
from secretsd.domain.keys import CMK, KeyOwner, WrappedKey
from secretsd.operations.call import Call
from secretsd.operations.keys import find_key

Algorithm = TypeVar("Algorithm", bound=Enum)


async def usable_key(call: Call, reference: str, usage: KeyUsage) -> CMK:
    """The key, named as `find_key` takes it; NotFound, or whatever keeps it from being used so now.

    The service's own keys seal secrets and nothing else: so it is known of them what their versions are needed for.
    """
    key = await find_key(call, reference)
    key.require_usable(usage, call.time_ms)
    if key.owner is KeyOwner.SERVICE:
        raise InvalidKeyUsage(f"cannot use key {key.id} for that: it is the service's own, and seals secrets alone")
    return key


async def current_version(call: Call, key: CMK) -> WrappedKey:
    """The key's version that encrypts and signs; events say which one it was."""
    version = await call.parts.rows.key_version(key.account, key.id, key.current_version)
    version.require_live()
    call.fields["key_version"] = version.version
    return version


def algorithm_of(key: CMK, name: str | None, known: tuple[Algorithm, ...]) -> Algorithm:
    """The algorithm of that name, or the only one that the key has; InvalidRequest, InvalidKeyUsage."""
    if name is None:
        if len(known) != 1:
            named = ", ".join(str(one.value) for one in known)
            raise InvalidRequest(f"cannot choose an algorithm for key {key.id}: name one of {named}")
        return known[0]
    for one in known:
        if one.value == name:
            return one
    raise InvalidKeyUsage(f"cannot use key {key.id} with {name}")
