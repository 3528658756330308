"""What a new account is made of: its default key, and an administrator who may do everything in it."""

import secrets

from secretsd.domain.key_specs import KeySpec
from secretsd.domain.keys import KeyMetadata, KeyOwner
from secretsd.domain.names import SYSTEM_ACCOUNT
from secretsd.domain.policy import Effect, Policy, Statement
from secretsd.domain.principals import Account, User
from secretsd.domain.records import Record
from secretsd.operations.keys import new_key
from secretsd.operations.parts import Parts

ADMINISTRATOR = "administrator"
"""The policy of an account's first user."""
EVERYTHING = Statement(Effect.ALLOW, ("*",), ("*",))
ALL_OF_SYSTEM = Statement(Effect.ALLOW, ("*",), (f"secretsd:{SYSTEM_ACCOUNT}:*",))


def new_account_id() -> str:
    """Twelve digits at random, so that nobody can tell from one how many there are."""
    return str(10**11 + secrets.randbelow(9 * 10**11))


async def account_records(
    parts: Parts, account: str, name: str, administrator: str, now_ms: int, policies: tuple[str, ...] = ()
) -> tuple[Account, User, list[Record]]:
    """The account, its administrator, and all records of both, to be stored in one unit of work.

    `policies` are further ones of the administrator. KeyStoreUnavailable where there is nothing to make the key with.
    """
    key = new_key(account, KeySpec.AES_256, KeyOwner.SERVICE, "default key of the account", now_ms)
    wrapped = await parts.keystore.generate_key(KeyMetadata(account, key.id, 1, key.spec, key.usage))
    made = Account(account, name, key.id, now_ms)
    user = User(account, administrator, now_ms, (ADMINISTRATOR, *policies))
    policy = Policy(account, ADMINISTRATOR, (EVERYTHING,), "everything in this account", now_ms)
    return made, user, [made, key, wrapped, policy, user]
