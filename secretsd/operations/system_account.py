"""The account `system` as an owner of keys: made with its one key when the first thing is sealed for the operator."""

from secretsd.domain.errors import NotFound
from secretsd.domain.key_specs import KeySpec
from secretsd.domain.keys import KeyMetadata, KeyOwner, WrappedKey
from secretsd.domain.names import SYSTEM_ACCOUNT
from secretsd.domain.principals import Account
from secretsd.operations.call import Call
from secretsd.operations.keys import new_key
from secretsd.ports.storage import Change


async def system_key(call: Call) -> tuple[WrappedKey, list[Change]]:
    """The key under which the operator's own credentials are sealed, and what has to be stored with what it seals.

    No user can disable it: it belongs to the service. Two calls that make it at once conflict, and one is tried again.
    """
    try:
        account = await call.parts.rows.account(SYSTEM_ACCOUNT)
    except NotFound:
        key = new_key(
            SYSTEM_ACCOUNT, KeySpec.AES_256, KeyOwner.SERVICE, "seals what belongs to the operator", call.time_ms
        )
        wrapped = await call.parts.keystore.generate_key(KeyMetadata(SYSTEM_ACCOUNT, key.id, 1, key.spec, key.usage))
        made = Account(SYSTEM_ACCOUNT, SYSTEM_ACCOUNT, key.id, call.time_ms)
        return wrapped, [call.add(made), call.add(key), call.add(wrapped)]
    key = await call.parts.rows.key(SYSTEM_ACCOUNT, account.default_key_id)
    call.rest_on(key)
    return await call.parts.rows.key_version(SYSTEM_ACCOUNT, key.id, key.current_version), []
