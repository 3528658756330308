"""The one effect: a role's password changed in a transaction whose fate can be asked for afterwards."""

import asyncio

import msgspec

from secretsd.ports.rotator import Job, Note, Outcome, RotationFailed
from secretsd_rotators.postgresql.failures import ConnectionLost, ServerError, away
from secretsd_rotators.postgresql.inspection import READ_ONLY
from secretsd_rotators.postgresql.marks import comment_of, marked, require_ours
from secretsd_rotators.postgresql.session import Row, Session
from secretsd_rotators.postgresql.settling import Attempt, session_name, settle
from secretsd_rotators.postgresql.verifiers import Journal

TRIES = 4
PAUSE_SECONDS = 0.2
# Somebody else changes the same role, or waits for it: nothing of ours has happened.
_AGAIN = frozenset({"XX000", "40001", "40P01", "55P03"})
# A policy of the server refuses this password; another one may pass (passwordcheck and its like raise these).
_REJECTED = frozenset({"22023", "28P01"})
_REASONS = {
    "42501": "insufficient-privilege",
    "42704": "role-missing",
    "42883": "function-missing",
    "P0001": "function-refused",
}
# What a standby says to a transaction that wants to write, and to one that wants an id.
_IN_RECOVERY = frozenset({"0A000", "55000"})
# READ WRITE, because a role's own setting to the contrary is for its application; a server's is respected.
_BEGIN = f"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT pg_current_xact_id(), ({READ_ONLY})"


async def change(
    session: Session, job: Job, what: Journal, number: int, function: str | None, note: Note | None
) -> Outcome:
    """Change the password to the verifier of the journal. RotationFailed means that surely nothing was changed."""
    for tried in range(1, TRIES + 1):
        try:
            if tried > 1:
                await session.run("ROLLBACK")
                await settle(session, job)  # it may be an earlier attempt of our own that is in the way
                await asyncio.sleep(PAUSE_SECONDS * (tried - 1))
            return await _once(session, job, what, number, function, note)
        except ServerError as error:
            if error.code in _REJECTED:
                return Outcome.REJECTED
            if error.code not in _AGAIN or tried == TRIES:
                later = RotationFailed("role-busy") if error.code in _AGAIN else away(error.code)
                raise later or RotationFailed(_REASONS.get(error.code, "statement-failed"), error.code) from None
        except ConnectionLost:
            raise RotationFailed("target-unreachable", away=True) from None  # before anything that could be committed
    raise AssertionError


async def _once(
    session: Session, job: Job, what: Journal, number: int, function: str | None, note: Note | None
) -> Outcome:
    ((xid, read_only),) = await _begun(session)
    if read_only == "t":
        raise RotationFailed("target-read-only", away=True)
    if note is not None:
        await note(msgspec.json.encode(Attempt(str(xid), session_name(job))))
    comment = await comment_of(session, what.login)
    require_ours(comment, job)
    verifier = session.literal(what.verifier)
    if function is not None:
        statements = f"SELECT {function}({session.literal(what.login)}, {verifier}); "
    else:
        role = session.identifier(what.login)
        statements = f"ALTER ROLE {role} PASSWORD {verifier}; "
        if what.marks:
            statements += f"COMMENT ON ROLE {role} IS {session.literal(marked(comment, job, number))}; "
    try:
        await session.run(statements + "COMMIT")
    except ConnectionLost:
        return Outcome.UNKNOWN
    return Outcome.APPLIED


async def _begun(session: Session) -> list[Row]:
    try:
        return await session.run(_BEGIN)
    except ServerError as error:
        if error.code in _IN_RECOVERY:
            raise RotationFailed("target-in-recovery", away=True) from None
        raise
