"""Secrets of access keys as they are made: sealed under their account's default key, which no user can disable."""

import base64
from collections.abc import Mapping

from secretsd.domain.envelope import Purpose
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.call import Call
from secretsd.operations.ids import take_random
from secretsd.ports.keystore import KeyUse

_ID_BYTES, _SECRET_BYTES = 10, 30


def new_access_key_id(prefix: str) -> str:
    """An id that is free: 80 random bits in base32 (RFC 4648 section 6) after its prefix."""
    return prefix + base64.b32encode(take_random(_ID_BYTES)).decode()


def new_secret() -> str:
    """The secret of an access key: 240 random bits, 40 characters of base64url (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(take_random(_SECRET_BYTES)).decode()


async def sealed_credential(call: Call, account: str, secret: Plaintext, context: Mapping[str, str]) -> str:
    """The secret as it is stored, in base64; the next commit holds only if the account's key is as it was then."""
    parts = call.parts
    owner = await parts.rows.account(account)
    key = await parts.rows.key(account, owner.default_key_id)
    version = await parts.rows.key_version(account, key.id, key.current_version)
    use = KeyUse(account, Purpose.CREDENTIAL, call.request_name)
    sealed = await parts.keystore.encrypt(version, use, secret, context)
    call.rest_on(key)
    return base64.b64encode(sealed).decode()
