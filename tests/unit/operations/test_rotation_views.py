"""What people see of rotations: in words, page by page, of their own account, as far as a policy lets them see."""

from dataclasses import replace
from typing import Any

import pytest

from secretsd.domain.records import Record
from secretsd.domain.rotation import (
    WAITING,
    MachineKind,
    Rotation,
    RotationResult,
    RotationState,
    RotationStep,
)
from secretsd.domain.rotation_reasons import REASONS, STATES
from secretsd.domain.secrets import PENDING, Barrier
from secretsd.operations import rotation_views, rotation_words
from secretsd.ports.storage import Add, Replace, UnitOfWork
from secretsd.testing import samples
from secretsd.testing.storage import authenticator

House = Any  # the fixture `house` of this folder
S = RotationState
NAME = "prod/db/app"
TARGETED = {"rotator": "postgresql", "machine": MachineKind.SINGLE_USER, "target": "db-1", "logins": ("app",)}


async def commit(house: House, *changes: Any) -> None:
    """Changes as scheduled work makes them."""
    await house.storage.commit(UnitOfWork(changes, samples.event("Step", accounts=(house.account,))))
    house.storage.refresh()


def add(record: Record) -> Add:
    return Add(record, authenticator().mac(record))


async def rotating(house: House, name: str = NAME, /, **fields: Any) -> Rotation:
    """A secret with a value and a rotation as it stands somewhere in its life."""
    made = await house.call("CreateSecret", name=name, text="Zq7-current")
    rotation = Rotation(house.account, made.id, name, **{"rotator": "random", "settings": "{}", **fields})
    await commit(house, add(rotation))
    return rotation


async def changed_secret(house: House, **fields: Any) -> None:
    before = await house.storage.secrets.get(house.account, NAME)
    after = replace(before, revision=before.revision + 1, **fields)
    await commit(house, Replace(before, after, authenticator().mac(after)))


async def explain(house: House, **fields: Any) -> Any:
    return await house.call("ExplainRotation", name=NAME, **fields)


async def test_a_rotation_is_described_with_its_reason_in_words(house: House) -> None:
    await rotating(
        house, state=S.QUARANTINED, reason="admin-refused", attempts=5, since_ms=77, run=3,
        pending_version="v2", last_result=RotationResult.QUARANTINED, **TARGETED,
    )  # fmt: skip
    found = await house.call("DescribeRotation", name=NAME)
    assert (found.rotation.state, found.rotation.attempts, found.since_ms, found.run) == ("quarantined", 5, 77, 3)
    assert (found.candidate, found.cancelled) == ("v2", False)
    assert found.meaning == REASONS["admin-refused"].meaning
    assert found.next_action == (
        "have an operator enter the administrator's password of db-1 again (UpdateTarget); "
        f"then secretsctl rotation resume {NAME}"
    )


async def test_a_secret_without_a_rotation_has_nothing_to_show(house: House, tools: Any) -> None:
    await house.call("CreateSecret", name=NAME)
    for name in ("DescribeRotation", "ListRotationSteps", "ExplainRotation"):
        with pytest.raises(tools.Failed, match="not-found"):
            await house.call(name, name=NAME)


@pytest.mark.parametrize("state", RotationState)
def test_every_state_and_reason_has_words_and_quarantine_an_action(state: RotationState) -> None:
    """What stands in capitals in the table is named, so that a command can be copied as it is."""
    resume = f"secretsctl rotation resume {NAME}"
    for reason in ("", "own-reason", *REASONS):
        rotation = Rotation("1" * 12, "i", NAME, "filed", "{}", state=state, reason=reason)
        cause, action = rotation_words.cause_of(rotation), rotation_words.next_action(rotation) or ""
        assert cause.startswith(STATES[state])
        assert reason in cause
        assert action.endswith(resume) == (state is S.QUARANTINED)
        assert (rotation_words.next_command(rotation) == resume) == (state is S.QUARANTINED)
        assert not {"NAME", "TARGET", "ROTATOR"} & set(action.replace("(", " ").replace(")", " ").split())


@pytest.mark.parametrize(
    ("fields", "command"),
    [
        ({"next_due_ms": 5}, None),
        ({}, "secretsctl rotate 'a!b'"),
        ({"next_due_ms": 5, "attempts": 2}, "secretsctl rotate 'a!b'"),
        ({"enabled": False}, "secretsctl rotation resume 'a!b'"),
        ({"state": S.APPLYING, "next_due_ms": 5}, "secretsctl rotation status 'a!b'"),
    ],
)
def test_the_next_command_is_one_for_a_shell(fields: dict[str, Any], command: str | None) -> None:
    assert rotation_words.next_command(Rotation("1" * 12, "i", "a!b", "filed", "{}", **fields)) == command


async def test_what_is_under_way_cancelled_and_paused_is_told(house: House) -> None:
    await rotating(house, state=S.RESOLVING, cancelled=True, enabled=False, reason="interrupted", **TARGETED)
    cause = (await explain(house)).cause
    assert "takes the way back" in cause
    assert "interrupted: a step was cut off" in cause


@pytest.mark.parametrize(
    ("fields", "how"),
    [
        ({}, "as-usual"),
        ({"barrier": Barrier.HOLD}, "held"),
        ({"barrier": Barrier.UNPROVED}, "unproved"),
        ({"deletion_ms": 10**15}, "nothing"),
        ({"stages": {}}, "nothing"),
    ],
)
async def test_it_is_told_what_callers_are_served(house: House, fields: dict[str, Any], how: str) -> None:
    await rotating(house)
    await changed_secret(house, **fields)
    served = (await explain(house)).served
    assert served.how == how
    assert served.meaning
    assert (served.number == 1) == (how != "nothing")
    if how == "unproved":
        assert (await house.call("GetSecretValue", name=NAME)).unproved


@pytest.mark.parametrize("state", sorted({*RotationState} - WAITING - {S.CHECK_IDLE}, key=str))
async def test_a_target_is_left_alone_while_a_step_is_under_way(house: House, state: RotationState) -> None:
    await rotating(house, state=state, **TARGETED)
    found = await explain(house)
    assert (found.versions, found.not_asked) == ((), "a step is under way")


@pytest.mark.parametrize("state", [S.IDLE, S.CHECK_IDLE])
async def test_a_target_is_left_alone_when_a_step_is_about_to_begin(house: House, state: RotationState) -> None:
    await rotating(house, state=state, next_due_ms=1, **TARGETED)
    assert (await explain(house)).not_asked == "a step is under way"


async def test_where_there_is_no_target_nobody_is_asked(house: House) -> None:
    await rotating(house)
    assert "there is no target" in (await explain(house)).not_asked
    assert (await explain(house, probe_target=False)).not_asked == "nobody wanted to know"


async def test_a_rotator_host_that_is_away_is_told_by_its_word(house: House) -> None:
    await rotating(house, machine=MachineKind.SINGLE_USER)
    found = await explain(house)
    (current,) = found.versions
    assert (current.stage, current.number, current.acceptance) == ("current", 1, "unknown")
    assert (current.reason, current.meaning) == ("host-away", REASONS["host-away"].meaning)
    assert found.not_asked is None


async def test_current_and_candidate_are_asked_for_in_quarantine(house: House) -> None:
    rotation = await rotating(house, machine=MachineKind.SINGLE_USER)
    put = await house.call("PutSecretValue", name=NAME, text="Zq7-candidate", stages=(PENDING,))
    stored = await house.storage.rotations.get(house.account, rotation.secret_id)
    stuck = replace(stored, state=S.QUARANTINED, pending_version=put.version_id, revision=1)
    await commit(house, Replace(stored, stuck, authenticator().mac(stuck)))
    answer = await house.run("ExplainRotation", name=NAME)
    assert answer.response is not None
    found: Any = answer.response
    assert [(one.stage, one.number) for one in found.versions] == [("current", 1), ("candidate", 2)]
    assert "Zq7" not in repr(found)
    (event,) = await house.events(answer.request_id)
    assert event["fields"]["asked"] == [one.version_id for one in found.versions]


async def test_who_may_not_use_the_target_is_told_everything_else(house: House) -> None:
    await rotating(house, next_due_ms=10**15, **TARGETED)
    statement = {"effect": "Allow", "action": ["ExplainRotation"], "resource": [f"secret/{NAME}"]}
    found = await house.call("ExplainRotation", await house.user("ann", statement), name=NAME)
    assert found.not_asked == "target-not-allowed: you or the account may not use the target"
    assert (found.served.how, found.status.rotation.state) == ("as-usual", "idle")


async def test_a_history_is_paged_from_its_newest_entry(house: House, tools: Any) -> None:
    rotation = await rotating(house)
    states = [S.CANDIDATE_STORED, S.APPLYING, S.VERIFYING, S.IDLE] * 3
    results = [RotationResult.NONE] * 11 + [RotationResult.DONE]
    steps = [
        RotationStep(house.account, rotation.secret_id, at, 1 + at // 4, 1000 + at, state, "", "v", 7, 0, result)
        for at, (state, result) in enumerate(zip(states, results, strict=True))
    ]
    await commit(house, *map(add, steps))
    seen, token = [], None
    while True:
        page = await house.call("ListRotationSteps", name=NAME, limit=5, next_token=token)
        seen += page.steps
        token = page.next_token
        if token is None:
            break
    assert [one.number for one in seen] == [*range(11, -1, -1)]
    assert (seen[0].state, seen[0].run, seen[0].result, seen[0].version_id, seen[0].epoch) == (
        "idle",
        3,
        "done",
        "v",
        7,
    )
    assert seen[1].result is None
    assert [one.number for one in (await explain(house)).steps] == [11, 10, 9, 8, 7]
    for bad in ("x", "LTE=", "MTExMTExMTExMTExMTExMTExMTEx"):
        with pytest.raises(tools.Failed, match="invalid-request"):
            await house.call("ListRotationSteps", name=NAME, next_token=bad)


async def listed(house: House, *caller: Any, **fields: Any) -> list[str]:
    """The names over all pages; a page may be empty and still have a next one."""
    found: list[str] = []
    token, pages = None, 0
    while True:
        page = await house.call("ListRotations", *caller, next_token=token, **fields)
        assert len(page.rotations) <= fields.get("limit", 100)
        found += [one.name for one in page.rotations]
        token, pages = page.next_token, pages + 1
        if token is None:
            return sorted(found)
        assert pages < 50


@pytest.mark.parametrize(("limit", "at_once", "most"), [(100, 100, 1000), (1, 100, 1000), (2, 1, 1000), (3, 2, 2)])
async def test_rotations_are_listed_whole_whatever_the_pages(
    house: House, monkeypatch: pytest.MonkeyPatch, limit: int, at_once: int, most: int
) -> None:
    monkeypatch.setattr(rotation_views, "AT_ONCE", at_once)
    monkeypatch.setattr(rotation_views, "MOST_LOOKED_AT", most)
    states = {"a/1": S.IDLE, "a/2": S.QUARANTINED, "b/1": S.APPLYING, "b/2": S.QUARANTINED, "b/3": S.IDLE}
    for name, state in states.items():
        await rotating(house, name, state=state)
    assert await listed(house, limit=limit) == sorted(states)
    assert await listed(house, limit=limit, prefix="b/") == ["b/1", "b/2", "b/3"]
    assert await listed(house, limit=limit, state="idle") == ["a/1", "b/3"]
    assert await listed(house, limit=limit, quarantined=True) == ["a/2", "b/2"]
    assert await listed(house, limit=limit, quarantined=True, prefix="b/") == ["b/2"]
    assert await listed(house, limit=limit, quarantined=True, state="idle") == []


async def test_other_accounts_rotations_are_nobodys_business(house: House) -> None:
    await rotating(house, "mine")
    await commit(house, add(replace(samples.rotation("foreign"), account=samples.OTHER_ACCOUNT)))
    assert house.account != samples.OTHER_ACCOUNT
    assert await listed(house) == ["mine"]


async def test_who_may_list_a_part_lists_that_part(house: House, tools: Any) -> None:
    for name in ("prod/a", "test/a"):
        await rotating(house, name)
    statement = {"effect": "Allow", "action": ["ListRotations"], "resource": ["secret/prod/*"]}
    ann = await house.user("ann", statement)
    assert await listed(house, ann, prefix="prod/") == ["prod/a"]
    for prefix in ("", "test/", "pro"):
        with pytest.raises(tools.Failed, match="access-denied"):
            await house.call("ListRotations", ann, prefix=prefix)
