"""Whatever is cut, and wherever: the outcome that is told is true, and settle, probe, apply again always converge."""

import asyncio
import contextlib
import json
from collections.abc import Iterator

import pytest

from secretsd.ports.rotator import Acceptance, Outcome, RotationFailed
from secretsd.testing.cutting_proxy import CuttingProxy, Fault
from secretsd_rotators.postgresql import session

pytestmark = pytest.mark.integration
# Of a change, in order: log in, begin, look at the mark, change and commit.
MESSAGES = ["startup", "sasl", "sasl", "begin", "mark", "commit"]
FAULTS = [fault for fault in Fault if fault is not Fault.PAUSE]


@pytest.fixture
def proxy(server) -> Iterator[CuttingProxy]:
    with CuttingProxy(server.port) as running:
        yield running


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "QUERY_SECONDS", 0.4)


async def applied(case) -> Outcome | RotationFailed:
    try:
        return await case.apply()
    except RotationFailed as failed:
        return failed


async def eventually(condition) -> bool:
    for _ in range(100):
        if condition():
            return True
        await asyncio.sleep(0.02)
    return False


@pytest.mark.parametrize(
    ("by_admin", "at"),
    [*((True, at) for at in range(len(MESSAGES))), *((False, at) for at in range(3, len(MESSAGES)))],
    ids=lambda value: ("admin" if value else "itself") if isinstance(value, bool) else f"{value}-{MESSAGES[value]}",
)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.value)
async def test_a_fault_at_any_message_of_a_change(case, proxy, fault, by_admin, at) -> None:
    case.admin = case.admin if by_admin else None
    await case.prepare()
    before = case.stored()
    wanted = json.loads(case.candidate.journal)["verifier"]
    case.port = proxy.port
    proxy.arm(fault, at)
    outcome = await applied(case)
    assert proxy.struck is not None
    if isinstance(outcome, RotationFailed):
        assert outcome.away
        assert case.stored() == before, "it said that surely nothing was changed"
    else:
        assert outcome is Outcome.UNKNOWN
        assert MESSAGES[at] == "commit"
    reached = MESSAGES[at] == "commit" and fault in (Fault.CUT_AFTER, Fault.REPLY_LOST)
    if reached:  # else settling may well be faster than the server
        assert await eventually(lambda: case.stored() == wanted)
    proxy.heal()
    await case.rotator.settle(case.job)
    settled = case.stored()
    found = await case.rotator.probe(case.job, [case.candidate, case.current])
    took = settled == wanted
    assert settled in (before, wanted)
    assert found["v2"] is (Acceptance.ACCEPTED if took else Acceptance.REFUSED), "nothing comes late after settle"
    assert took is reached
    assert await case.apply() is Outcome.APPLIED
    await case.rotator.verify(case.job)
    assert case.stored() == wanted, "byte for byte the same candidate"


@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE, Fault.CUT_AFTER, Fault.BLACK_HOLE], ids=lambda fault: fault.value)
@pytest.mark.parametrize("step", ["prepare", "settle", "verify", "probe"])
async def test_a_fault_in_any_other_step_changes_nothing(case, proxy, step, fault) -> None:
    await case.rotate()
    await case.prepare()
    assert await case.apply() is Outcome.APPLIED
    before = case.stored()
    case.port = proxy.port
    case.told = {"connect_seconds": 0.6}
    for at in range(4):
        proxy.arm(fault, at)
        if step == "probe":
            found = await case.rotator.probe(case.job, [case.candidate])
            answers = (Acceptance.UNKNOWN,) if proxy.struck not in (None, "terminate") else (Acceptance.ACCEPTED,)
            assert found[case.candidate.version_id] in answers
        else:
            with contextlib.suppress(RotationFailed):
                await {"prepare": _prepare_only, "settle": _settle, "verify": _verify}[step](case)
        proxy.heal()
    assert case.stored() == before


async def _prepare_only(case) -> None:
    await case.rotator.prepare(case.job)


async def _settle(case) -> None:
    await case.rotator.settle(case.job)


async def _verify(case) -> None:
    await case.rotator.verify(case.job)


async def test_a_change_that_waits_behind_a_lock_when_it_is_cut_does_not_come_late(case, proxy) -> None:
    """A login probe alone would be wrong here: the old password works, and seconds later the new one would."""
    await case.prepare()
    before = case.stored()
    blocker = case.server.connect()
    blocker.execute("BEGIN")
    blocker.execute(f"ALTER ROLE {case.logins[0]} CONNECTION LIMIT 50")
    case.port = proxy.port
    proxy.arm(Fault.REPLY_LOST, matches=lambda text: text.startswith("ALTER ROLE"))
    assert await case.apply() is Outcome.UNKNOWN
    proxy.heal()
    await case.rotator.settle(case.job)
    blocker.execute("ROLLBACK")
    blocker.close()
    await asyncio.sleep(0.3)
    assert case.stored() == before
    assert await case.apply() is Outcome.APPLIED


async def test_somebody_elses_change_at_the_same_time_is_waited_for(case, monkeypatch) -> None:
    """The second of two gets `tuple concurrently updated`, which says that nothing of it happened."""
    monkeypatch.setattr(session, "QUERY_SECONDS", 8.0)
    await case.prepare()
    other = case.server.connect()
    other.execute("BEGIN")
    other.execute(f"ALTER ROLE {case.logins[0]} CONNECTION LIMIT 50")
    change = asyncio.create_task(case.apply())
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    assert await asyncio.to_thread(lambda: asyncio.run(eventually(lambda: case.server.sql(waiting) == [(1,)])))
    other.execute("COMMIT")
    other.close()
    assert await change is Outcome.APPLIED
    await case.rotator.verify(case.job)
    assert len(case.journal) >= 2


async def test_a_half_open_transaction_of_ours_is_ended_before_the_next_one(case, proxy) -> None:
    await case.prepare()
    case.port = proxy.port
    proxy.arm(Fault.HALF_OPEN, matches=lambda text: text.startswith("ALTER ROLE"))
    assert await case.apply() is Outcome.UNKNOWN
    name = f"secretsd:{case.secret_id[:8]}:1"
    sessions = f"SELECT state FROM pg_stat_activity WHERE application_name = '{name}'"
    assert case.server.sql(sessions) == [("idle in transaction",)]
    case.port = 0
    await case.rotator.settle(case.job)
    assert case.server.sql(sessions) == []
    assert await case.apply() is Outcome.APPLIED


async def test_settling_waits_for_a_transaction_that_it_cannot_end(case, proxy) -> None:
    """The target got another administrator meanwhile, and a change of the one before still waits for a lock."""
    former = f"former_admin_of_{case.logins[0]}"
    case.server.sql(f"CREATE ROLE {former} SUPERUSER LOGIN PASSWORD 'x'")
    now, case.admin = case.admin, (former, "x")
    await case.prepare()
    before = case.stored()
    with case.server.connect() as blocker:
        blocker.execute("BEGIN")
        blocker.execute(f"ALTER ROLE {case.logins[0]} CONNECTION LIMIT 50")
        case.port = proxy.port
        proxy.arm(Fault.REPLY_LOST, matches=lambda text: text.startswith("ALTER ROLE"))
        assert await case.apply() is Outcome.UNKNOWN
        case.admin, case.port = now, 0
        await case.rotator.settle(case.job)
        blocker.execute("ROLLBACK")
    await asyncio.sleep(0.3)
    assert case.stored() == before


async def test_a_crash_of_the_server_in_the_middle(case) -> None:
    await case.prepare()
    wanted = json.loads(case.candidate.journal)["verifier"]
    before = case.stored()
    with CuttingProxy(case.server.port) as proxy:
        case.port = proxy.port
        proxy.arm(Fault.PAUSE, matches=lambda text: text.startswith("ALTER ROLE"))
        change = asyncio.create_task(applied(case))
        assert await asyncio.to_thread(proxy.wait_for_strike, 5.0)
        await asyncio.to_thread(case.server.kill9)
        proxy.resume()
        outcome = await change
        assert outcome is Outcome.UNKNOWN
    case.port = 0
    await asyncio.to_thread(case.server.start)
    await case.rotator.settle(case.job)
    assert case.stored() in (before, wanted)
    assert await case.apply() is Outcome.APPLIED
    assert case.stored() == wanted
