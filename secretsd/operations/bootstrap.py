"""The first start: an account with its default key, an administrator, and the proofs that lead to him."""

import contextlib

from secretsd.domain.audit import AuditEvent, ChangedRow
from secretsd.domain.credentials import Token
from secretsd.domain.errors import AlreadyExists, NotFound
from secretsd.domain.names import SYSTEM_ACCOUNT
from secretsd.domain.policy import Policy
from secretsd.domain.principals import Account
from secretsd.domain.proofs import Binding
from secretsd.domain.records import RECORDS, Record, key_of
from secretsd.domain.sensitive import Plaintext
from secretsd.operations import events
from secretsd.operations.authenticator import token_digest
from secretsd.operations.ids import new_id, new_request_id
from secretsd.operations.new_accounts import ALL_OF_SYSTEM, account_records, new_account_id
from secretsd.operations.parts import Parts
from secretsd.ports.storage import Add, UnitOfWork

ADMIN = "admin"
OPERATOR = "operator"
"""The policy that makes the first administrator an operator as well."""
PAGE = 100
OPERATION = "InitialiseAccount"


async def ensure_first_account(parts: Parts, uids: tuple[int, ...], by: str) -> str:
    """The id of the first account, made now unless there is one already. All of it is one unit of work.

    The administrator may do everything in the account, and everything in `system` by a policy that names it: operators
    and readers are different people wherever those two policies are attached to different users. A daemon whose
    administrators were all lost gets none back here, but by `operations/break_glass.py`.
    """
    if (there := await _first_there(parts)) is not None:
        return there
    now_ms = parts.clock.now_ms()
    account = new_account_id()
    _, _, made = await account_records(parts, account, "main", ADMIN, now_ms, (OPERATOR,))
    records: list[Record] = [
        *made,
        Policy(account, OPERATOR, (ALL_OF_SYSTEM,), "everything in the system account", now_ms),
        *(Binding(f"unix:uid/{uid}", account, ADMIN, now_ms) for uid in sorted({0, *uids})),
    ]
    try:
        await _commit(parts, account, records, now_ms, by)
    except AlreadyExists:
        there = await _first_there(parts)  # another worker was faster
        if there is None:
            raise
        return there
    return account


async def _first_there(parts: Parts) -> str | None:
    """The account that uid 0 leads to, else the oldest of all; None where there is none."""
    with contextlib.suppress(NotFound):
        return (await parts.storage.proofs.binding("unix:uid/0")).account
    oldest: Account | None = None
    after = ""
    while found := await parts.storage.accounts.page(after, PAGE):
        for account in found:
            if account.id != SYSTEM_ACCOUNT and (oldest is None or account.created_ms < oldest.created_ms):
                oldest = account
        after = found[-1].id
    return None if oldest is None else oldest.id


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
