"""Nothing is changed that is not noted, nothing by who is not the owner any more, and nobody waits for good."""

import dataclasses
import json

import pytest

from secretsd.ports.rotator import Outcome, RotationFailed
from secretsd.testing.postgres import postgres
from secretsd_rotators.postgresql import change, connecting

from .conftest import Case

pytestmark = pytest.mark.integration


class NotStored(Exception):
    """What the engine raises where its lease is lost."""


async def test_what_cannot_be_noted_is_not_done(case) -> None:
    await case.prepare()
    before = case.stored()

    async def note(data: bytes) -> None:
        assert json.loads(data)["xid"].isdigit()
        raise NotStored

    with pytest.raises(NotStored):
        await case.rotator.apply(case.job, note)
    assert case.stored() == before
    mine = f"SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'secretsd:{case.secret_id[:8]}:%'"
    await case.rotator.settle(case.job)
    assert case.server.sql(mine) == [(0,)]


@pytest.mark.parametrize("by_admin", [True, False])
async def test_a_late_owner_changes_nothing_after_the_next_one_has_settled(case, by_admin) -> None:
    """It has noted, under a lease that ran out; the next owner settles and rotates; then it goes on."""
    case.admin = case.admin if by_admin else None
    await case.prepare()
    later = dataclasses.replace(case, epoch=2, journal=[case.candidate.journal])

    async def note(data: bytes) -> None:
        later.journal.append(data)
        await later.rotator.settle(later.job)
        later.current, later.candidate = case.current, None
        await later.rotate()

    with pytest.raises(RotationFailed) as failed:
        await case.rotator.apply(case.job, note)
    assert failed.value.away
    assert case.stored() == json.loads(later.current.journal)["verifier"]


async def test_a_session_that_is_ended_in_the_middle_leaves_the_outcome_unknown(case) -> None:
    """The server's last word may come after the commit, so it is no proof of anything."""
    case.server.sql(
        "CREATE OR REPLACE FUNCTION public.ends_us(login text, verifier text) RETURNS void LANGUAGE plpgsql "
        "SECURITY DEFINER AS $$BEGIN EXECUTE format('ALTER ROLE %I PASSWORD %L', login, verifier); "
        "PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5); END$$"
    )
    case.function = "public.ends_us"
    await case.prepare()
    before = case.stored()
    assert await case.apply() is Outcome.UNKNOWN
    await case.rotator.settle(case.job)
    assert case.stored() == before


async def test_a_role_that_somebody_keeps_busy_is_given_up_for_now(case, monkeypatch) -> None:
    monkeypatch.setattr(change, "PAUSE_SECONDS", 0.01)
    monkeypatch.setitem(connecting.SETTINGS, "lock_timeout", "50ms")
    await case.prepare()
    before = case.stored()
    with case.server.connect() as blocker:
        blocker.execute("BEGIN")
        blocker.execute(f"ALTER ROLE {case.logins[0]} CONNECTION LIMIT 50")
        with pytest.raises(RotationFailed) as failed:
            await case.apply()
        blocker.execute("ROLLBACK")
    assert (failed.value.reason, failed.value.away) == ("role-busy", False)
    assert len(case.journal) == 1 + change.TRIES, "each try is another transaction, and noted"
    assert case.stored() == before
    assert await case.apply() is Outcome.APPLIED


async def test_a_transaction_of_our_own_that_is_in_the_way_is_ended(case, monkeypatch) -> None:
    """A half-open session of an earlier attempt holds the role; nobody has settled in between."""
    monkeypatch.setitem(connecting.SETTINGS, "lock_timeout", "100ms")
    await case.prepare()
    name = f"secretsd:{case.secret_id[:8]}:0"
    left = case.server.connect(application_name=name)
    left.execute("BEGIN")
    left.execute(f"ALTER ROLE {case.logins[0]} CONNECTION LIMIT 50")
    assert await case.apply() is Outcome.APPLIED
    await case.rotator.verify(case.job)
    left.close()


async def test_a_server_that_is_slow_is_waited_for(case, monkeypatch) -> None:
    monkeypatch.setitem(connecting.SETTINGS, "statement_timeout", "300ms")
    case.server.sql(
        "CREATE OR REPLACE FUNCTION public.slow(login text, verifier text) RETURNS void LANGUAGE sql AS "
        "$$SELECT pg_sleep(20)$$"
    )
    case.function = "public.slow"
    await case.prepare()
    with pytest.raises(RotationFailed) as failed:
        await case.apply()
    assert (failed.value.reason, failed.value.away) == ("target-slow", True)


async def test_a_primary_that_became_a_standby_is_waited_for() -> None:
    with postgres() as running:
        running.sql("CREATE ROLE app LOGIN")
        case = Case(running, ("app",), ("postgres", running.password))
        await case.prepare()
        running.stop()
        (running.directory / "data" / "standby.signal").touch()
        running.settings = {"restore_command": "false"}
        running.start()
        for step in (case.apply, case.prepare):
            with pytest.raises(RotationFailed) as failed:
                await step()
            assert (failed.value.reason, failed.value.away) == ("target-in-recovery", True)


async def test_a_function_that_is_gone_is_told(case) -> None:
    case.server.sql("CREATE OR REPLACE FUNCTION public.gone(text, text) RETURNS void LANGUAGE sql AS 'SELECT'")
    case.function = "public.gone"
    await case.prepare()
    case.server.sql("DROP FUNCTION public.gone")
    with pytest.raises(RotationFailed, match="function-missing"):
        await case.apply()
    with pytest.raises(RotationFailed, match="insufficient-privilege"):
        await case.prepare()
