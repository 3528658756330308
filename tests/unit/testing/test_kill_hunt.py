"""The kill hunt's own parts: a plan that is shared out, owners that see a half, a trail that misses nothing."""

import random
from collections import Counter
from collections.abc import Iterable

import pytest

from secretsd.testing.daemon import Answered, Daemon
from secretsd.testing.kill_hunt import secret_states as states
from secretsd.testing.kill_hunt.caller import Caller, Unanswered, now_ms
from secretsd.testing.kill_hunt.journal import Entry, Journal, Request
from secretsd.testing.kill_hunt.owner import Act, Owner, State
from secretsd.testing.kill_hunt.plan import Kind, Victim, draw
from secretsd.testing.kill_hunt.trail import Event, Trail

ACCOUNT = "123456789012"
REQUEST = Request("Paint", "POST", "/v1/paint", f"secretsd:{ACCOUNT}:wall", token="t")


class LosingCaller(Caller):
    """Every request gets lost on its way back."""

    def send(self, request: Request) -> Entry:
        return self.journal.add(Entry(request, now_ms()))

    def receive(self, entry: Entry) -> Answered:
        entry.ended_ms = now_ms()
        raise Unanswered


class Wall(Owner):
    """A wall with two colours, painted both at once."""

    name = "wall"
    seen: State

    def observe(self, *, wholly: bool) -> State:
        return self.seen

    def act(self, kind: Kind) -> Act:
        return Act(REQUEST, lambda state, answer: {"left": "red", "right": "red"})


class ScriptedTrail(Trail):
    """Shows the events that a test puts there."""

    shown: tuple[Event, ...] = ()

    def _listed(self, account: str, since_ms: int, until_ms: int) -> Iterable[Event]:
        return [event for event in self.shown if event["accounts"][0] == account and event["time_ms"] >= since_ms]


@pytest.fixture
def caller(tmp_path) -> Caller:
    return LosingCaller(Daemon(tmp_path / "never-started"), Journal())


def event(id: str, time_ms: int, outcome: str = "ok", **fields: str) -> Event:
    return {
        "id": id,
        "time_ms": time_ms,
        "accounts": [ACCOUNT],
        "operation": REQUEST.operation,
        "resource": REQUEST.resource,
        "outcome": outcome,
        "source": "unix:pid/1",
        "fields": fields,
    }


def test_a_plan_has_at_least_ten_of_each_kind_and_comes_again_from_its_seed() -> None:
    plan = draw(200, 1)
    assert plan == draw(200, 1)
    assert plan != draw(200, 2)
    assert min(Counter(strike.kind for strike in plan).values()) >= 10
    assert min(Counter(strike.kind for strike in plan if not strike.answered).values()) >= 10
    assert min(Counter(strike.victim for strike in plan).values()) >= 10
    assert {strike.kind for strike in plan} == set(Kind)
    assert {strike.victim for strike in plan} == set(Victim)


@pytest.mark.parametrize(
    ("seen", "stored", "findings"),
    [
        ({"left": "white", "right": "white"}, False, 0),
        ({"left": "red", "right": "red"}, True, 0),
        ({"left": "red", "right": "white"}, False, 1),
    ],
)
def test_an_unanswered_change_is_there_or_not_and_a_half_is_a_finding(caller, seen, stored, findings) -> None:
    wall = Wall(caller, random.Random(1), ACCOUNT)
    wall.state = {"left": "white", "right": "white"}
    wall.seen = seen
    assert wall.do(wall.act(Kind.PUT)) is None
    assert caller.journal.entries[0].stored is stored
    assert len(caller.journal.findings) == findings


def test_what_is_not_as_answered_is_a_finding_without_its_contents(caller) -> None:
    wall = Wall(caller, random.Random(1), ACCOUNT)
    wall.state = {"left": "white", "right": "white"}
    wall.seen = {"left": "white", "right": "red"}
    wall.verify(wholly=True)
    assert caller.journal.findings == ["wall is not as answered: differs in right"]


@pytest.mark.parametrize(
    ("stored", "shown", "said"),
    [
        (True, [event("a", 1_000, token="t")], ""),
        (True, [], "took effect unanswered and has 0 events"),
        (False, [], ""),
        (False, [event("a", 1_000, "internal")], ""),
        (False, [event("a", 1_000, token="t")], "took no effect and has an event"),
        (True, [event("a", 1_000, token="t"), event("b", 1_001, token="t")], "has 2 events"),
        (None, [event("a", 1_000, token="t")], ""),
        (None, [event("a", 9_000, token="t")], "belongs to no request"),
    ],
)
def test_an_unanswered_request_has_an_event_exactly_if_it_took_effect(caller, stored, shown, said) -> None:
    caller.journal.add(Entry(REQUEST, 999, 1_002, stored=stored))
    trail = ScriptedTrail(caller, ACCOUNT)
    trail.shown = tuple(shown)
    trail.settle()
    assert said in "\n".join(caller.journal.findings)
    assert bool(caller.journal.findings) is bool(said)


def test_an_answer_without_its_event_a_changed_event_and_a_lost_one_are_findings(caller) -> None:
    caller.journal.add(Entry(REQUEST, 999, 1_002, "ok", "a"))
    trail = ScriptedTrail(caller, ACCOUNT)
    trail.shown = (event("a", 1_000),)
    trail.look()
    assert not caller.journal.findings
    trail.shown = (event("a", 1_000, "internal"),)
    trail.look(wholly=True)
    assert caller.journal.findings == ["event a was changed"]
    trail.shown = ()
    trail.look(wholly=True)
    assert caller.journal.findings[1:] == ["Paint was answered and has no event", "event a is gone"]


def test_when_current_moves_previous_follows_and_a_new_key_seals_only_what_has_a_stage_of_the_rules() -> None:
    state = states.created("id", "k1", "", {}, "v1", "text")
    state = states.with_version(state, "v2", "text", ["blue"])
    state = states.with_version(state, "v3", "text", ["current"])
    assert state["stages"] == {"current": "v3", "previous": "v1", "blue": "v2"}
    assert states.with_stage(state, "current", "v1")["stages"] == {"current": "v1", "previous": "v3", "blue": "v2"}
    moved = states.under_key(state, "k2")
    assert [key for _, _, key in moved["versions"].values()] == ["k2", "k1", "k2"]
    back = states.with_stage(moved, "current", "v2")
    assert states.under_key(back, "k2") == back
