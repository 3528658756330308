"""Ends what interrupted attempts may still be doing at the server, and asks what became of their transactions."""

import asyncio

import msgspec

from secretsd.ports.rotator import Job, RotationFailed
from secretsd_rotators.postgresql.failures import ServerError
from secretsd_rotators.postgresql.session import Session

SECONDS = 6.0
PAUSE_SECONDS = 0.05
_END = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name LIKE $1 AND pid <> pg_backend_pid() AND usename = session_user
"""
# Of our own alone: anybody may call a session as he likes, and would keep us waiting.
_LEFT = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name LIKE $1 AND pid <> pg_backend_pid() AND usename = session_user
"""
_IN_THE_FUTURE = "22023"
_STATUS = "SELECT pg_xact_status($1::text::xid8)"


class Attempt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is noted before the effect: the transaction, and the name of the session that it runs in."""

    xid: str
    application_name: str


def session_prefix(job: Job) -> str:
    """How the names of all sessions begin in which this secret's passwords are changed."""
    return f"secretsd:{job.secret_id[:8]}:"


def session_name(job: Job) -> str:
    """The name of this attempt's session, which no other attempt has."""
    return f"{session_prefix(job)}{job.epoch}"


async def settle(session: Session, job: Job) -> None:
    """Return once no session of an earlier attempt is there and none of its transactions is in progress."""
    pattern = session_prefix(job) + "%"
    try:
        async with asyncio.timeout(SECONDS):
            while True:
                await session.rows(_END, pattern)
                if await session.rows(_LEFT, pattern) == [("0",)]:
                    break
                await asyncio.sleep(PAUSE_SECONDS)
            for attempt in attempts(job):
                # Another process of the server ends it, and nothing would tell us of that.
                while await _in_progress(session, attempt.xid):  # noqa: ASYNC110
                    await asyncio.sleep(PAUSE_SECONDS)
    except TimeoutError:
        raise RotationFailed("not-settled") from None


async def _in_progress(session: Session, xid: str) -> bool:
    try:
        return await session.rows(_STATUS, xid) == [("in progress",)]
    except ServerError as error:
        if error.code != _IN_THE_FUTURE:
            raise
        return False  # the server crashed since, and has forgotten a number that nothing was ever committed under


def attempts(job: Job) -> list[Attempt]:
    """What was noted about earlier attempts; the first entry of the journal is prepare's."""
    return [msgspec.json.decode(entry, type=Attempt) for entry in job.journal[1:]]
