"""The rotator `postgresql`."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec

from secretsd.domain.rotation import MachineKind
from secretsd.ports.rotator import Acceptance, Candidate, Job, Note, Outcome, RotationFailed, StagedSecret, TargetAccess
from secretsd_rotators.postgresql import parity, settling
from secretsd_rotators.postgresql.change import change
from secretsd_rotators.postgresql.failures import ConnectionLost, Refused, ServerError, away
from secretsd_rotators.postgresql.inspection import inspect
from secretsd_rotators.postgresql.marks import comment_of, require_ours
from secretsd_rotators.postgresql.session import Session
from secretsd_rotators.postgresql.settings import PostgreSQLAddress, PostgreSQLSettings
from secretsd_rotators.postgresql.values import Credential, credential, login_of, new_password, new_value, next_login
from secretsd_rotators.postgresql.verifiers import Journal, verifier

PROBING = "secretsd-probe"
_IN_USE = """
SELECT count(*) FROM pg_stat_activity
WHERE usename = $1 AND coalesce(application_name <> $2 AND application_name NOT LIKE $3, true)
"""


class PostgreSQLRotator:
    """Changes passwords of PostgreSQL roles; the server learns verifiers only."""

    name: ClassVar[str] = "postgresql"
    Settings: ClassVar[type] = PostgreSQLSettings
    Address: ClassVar[type] = PostgreSQLAddress
    machine: ClassVar[MachineKind] = MachineKind.SINGLE_USER
    notes_first: ClassVar[bool] = True

    async def prepare(self, job: Job) -> Candidate:
        """A new password and its verifier, made with the server's own iterations; nothing is changed."""
        target, address = _target(job), _address(job)
        settings: PostgreSQLSettings = job.settings
        if settings.format != "json" and len(job.logins) > 1:
            raise RotationFailed("bad-settings", "two logins that take turns need the format json")
        if target.admin_login in job.logins:
            raise RotationFailed("own-admin")
        if job.current is not None:
            credential(job, job.current)
        login = next_login(job)
        async with await self._changing(job, login) as session:
            try:
                found = await inspect(session, login, by_admin=target.admin is not None, function=address.function)
                require_ours(await comment_of(session, login), job)
                if len(job.logins) > 1:
                    await parity.require_alike(session, *job.logins)
            except (ServerError, ConnectionLost) as error:
                raise _unable(error) from None
        password = new_password(settings)
        journal = Journal(login, verifier(password, found.iterations), found.marks)
        value = new_value(job, address, login, password)
        return Candidate(value, public={"login": login}, journal=msgspec.json.encode(journal))

    async def apply(self, job: Job, note: Note) -> Outcome:
        """Change the password by the journaled verifier, in a transaction that is noted before it can commit."""
        candidate = _candidate(job)
        what = msgspec.json.decode(candidate.journal, type=Journal)
        async with await self._changing(job, what.login) as session:
            return await change(session, job, what, candidate.number, _function(job), note)

    async def settle(self, job: Job) -> None:
        """End sessions of earlier attempts and wait until none of their transactions is in progress."""
        candidate = _candidate(job)
        async with await self._changing(job, credential(job, candidate).login) as session:
            try:
                await settling.settle(session, job)
            except (ServerError, ConnectionLost) as error:
                raise _unable(error) from None

    async def probe(self, job: Job, versions: Sequence[StagedSecret]) -> Mapping[str, Acceptance]:
        """One login for each version."""
        return {version.version_id: await self._accepts(job, version) for version in versions}

    async def verify(self, job: Job) -> None:
        """Log in as the candidate, on a server that takes writes; two logins that take turns must be alike."""
        who = credential(job, _candidate(job))
        try:
            async with await Session.open(_address(job), who, PROBING) as session:
                ((user, recovering),) = await session.rows("SELECT session_user, pg_is_in_recovery()")
                if user != who.login:
                    raise RotationFailed("another-session-user")
                if recovering == "t":
                    raise RotationFailed("target-in-recovery", away=True)
                if len(job.logins) > 1:
                    await parity.require_alike(session, *job.logins)
        except Refused:
            raise RotationFailed("candidate-refused") from None
        except (ServerError, ConnectionLost) as error:
            raise _unable(error) from None

    async def idle(self, job: Job) -> bool:
        """Whether nobody is logged in as the login that is next."""
        login = next_login(job)
        asking = None if job.current is None else credential(job, job.current)
        target = _target(job)
        if target.admin is not None:
            asking = Credential(target.admin_login, target.admin)
        if asking is None:
            return True  # nothing has ever been served, and nobody of ours can be in
        ours = f"{settling.session_prefix(job)}%"
        try:
            async with await Session.open(_address(job), asking, PROBING) as session:
                return await session.rows(_IN_USE, login, PROBING, ours) == [("0",)]
        except Refused:
            raise RotationFailed("admin-refused" if target.admin is not None else "current-refused") from None
        except (ServerError, ConnectionLost) as error:
            raise _unable(error) from None

    async def restore(self, job: Job) -> Outcome:
        """Make the password before the candidate's good again; APPLIED as well where the login never had another."""
        candidate = _candidate(job)
        login = credential(job, candidate).login
        before = next((one for one in (job.current, job.previous) if login_of(job, one) == login), None)
        if before is None:
            return Outcome.APPLIED
        # Who may comment on the role can have changed since the version before was made.
        marks = msgspec.json.decode(candidate.journal, type=Journal).marks if candidate.journal else False
        async with await self._changing(job, login) as session:
            if before.journal:
                what = msgspec.structs.replace(msgspec.json.decode(before.journal, type=Journal), marks=marks)
            else:
                what = Journal(login, session.verifier(credential(job, before)), marks)
            return await change(session, job, what, before.number, _function(job), None)

    async def _changing(self, job: Job, login: str) -> Session:
        """A session that may change the login's password: the administrator's, or the login's own."""
        target, address, name = _target(job), _address(job), settling.session_name(job)
        if target.admin is not None:
            try:
                return await Session.open(address, Credential(target.admin_login, target.admin), name)
            except Refused:
                raise RotationFailed("admin-refused") from None
        tried = False
        for version in (job.current, job.previous, job.candidate):
            if version is None or login_of(job, version) != login:
                continue
            try:
                return await Session.open(address, credential(job, version), name)
            except Refused:
                tried = True
        raise RotationFailed("current-refused" if tried else "no-password-known")

    async def _accepts(self, job: Job, version: StagedSecret) -> Acceptance:
        try:
            who = credential(job, version)
        except RotationFailed:
            return Acceptance.REFUSED  # no login of ours can be made with it
        try:
            (await Session.open(_address(job), who, PROBING)).close()
        except Refused:
            return Acceptance.REFUSED
        except RotationFailed:
            return Acceptance.UNKNOWN
        return Acceptance.ACCEPTED


def _target(job: Job) -> TargetAccess:
    if job.target is None or not job.logins:
        raise RotationFailed("no-target")
    return job.target


def _address(job: Job) -> PostgreSQLAddress:
    address: PostgreSQLAddress = _target(job).address
    return address


def _function(job: Job) -> str | None:
    return _address(job).function if _target(job).admin is not None else None


def _candidate(job: Job) -> StagedSecret:
    if job.candidate is None:
        raise RotationFailed("no-candidate")
    return job.candidate


def _unable(error: ServerError | ConnectionLost) -> RotationFailed:
    """What a failure means where nothing was to be changed."""
    if isinstance(error, ConnectionLost):
        return RotationFailed("target-unreachable", away=True)
    reason = "insufficient-privilege" if error.code == "42501" else "statement-failed"
    return away(error.code) or RotationFailed(reason, error.code)
