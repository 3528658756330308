"""The first start: an account with its default key, an administrator, and the proofs that lead to him."""

import contextlib
import secrets

from secretsd.domain.audit import AuditEvent, ChangedRow
from secretsd.domain.credentials import Token
from secretsd.domain.errors import AlreadyExists, NotFound
from secretsd.domain.key_specs import KeySpec
from secretsd.domain.keys import KeyMetadata, KeyOwner
from secretsd.domain.names import SYSTEM_ACCOUNT
from secretsd.domain.policy import Effect, Policy, Statement
from secretsd.domain.principals import Account, User
from secretsd.domain.proofs import Binding
from secretsd.domain.records import RECORDS, Record, key_of
from secretsd.domain.sensitive import Plaintext
from secretsd.operations import events
from secretsd.operations.authenticator import token_digest
from secretsd.operations.ids import new_id, new_request_id
from secretsd.operations.keys import new_key
from secretsd.operations.parts import Parts
from secretsd.ports.storage import Add, UnitOfWork

ADMIN = "admin"
OPERATION = "InitialiseAccount"


async def ensure_first_account(parts: Parts, uids: tuple[int, ...], by: str) -> str:
    """The id of the first account, made now unless uid 0 leads somewhere already. All of it is one unit of work.

    The administrator may do everything in the account, and everything in `system` by a policy that names it: operators
    and readers are different people wherever those two policies are attached to different users.
    """
    try:
        return (await parts.storage.proofs.binding("unix:uid/0")).account
    except NotFound:
        pass
    now_ms = parts.clock.now_ms()
    account = str(10**11 + secrets.randbelow(9 * 10**11))
    key = new_key(account, KeySpec.AES_256, KeyOwner.SERVICE, "default key of the account", now_ms)
    wrapped = await parts.keystore.generate_key(KeyMetadata(account, key.id, 1, key.spec, key.usage))
    everything = Statement(Effect.ALLOW, ("*",), ("*",))
    system = Statement(Effect.ALLOW, ("*",), (f"secretsd:{SYSTEM_ACCOUNT}:*",))
    records: list[Record] = [
        Account(account, "main", key.id, now_ms),
        key,
        wrapped,
        Policy(account, "administrator", (everything,), "everything in this account", now_ms),
        Policy(account, "operator", (system,), "everything in the system account", now_ms),
        User(account, ADMIN, now_ms, ("administrator", "operator")),
        *(Binding(f"unix:uid/{uid}", account, ADMIN, now_ms) for uid in sorted({0, *uids})),
    ]
    try:
        await _commit(parts, account, records, now_ms, by)
    except AlreadyExists:
        return (await parts.storage.proofs.binding("unix:uid/0")).account  # another worker was faster
    return account


async def ensure_token(parts: Parts, account: str, token: Plaintext, by: str) -> None:
    """Make `token` a token of the administrator, as `secretsd dev` needs it for its admin.env."""
    record = Token(token_digest(token), new_id(), account, ADMIN, parts.clock.now_ms(), None)
    with contextlib.suppress(AlreadyExists):  # made at an earlier start
        await _commit(parts, account, [record], record.created_ms, by)


async def _commit(parts: Parts, account: str, records: list[Record], now_ms: int, by: str) -> None:
    changes = tuple(Add(record, parts.authenticator.mac(record)) for record in records)
    rows = tuple(
        ChangedRow(RECORDS[type(add.record)].table, key_of(add.record), add.record.revision, add.mac) for add in changes
    )
    event = AuditEvent(
        new_request_id(now_ms),
        now_ms,
        (SYSTEM_ACCOUNT, account),
        "",
        by,
        "host",
        OPERATION,
        f"secretsd:{SYSTEM_ACCOUNT}:account/{account}",
        "ok",
        changes=rows,
    )
    await parts.storage.commit(UnitOfWork(changes, events.record(event)))
