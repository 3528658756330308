"""An owner changes one thing that nobody else changes, and so always knows the one or two states that it can be in."""

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from secretsd.testing.daemon import Answered
from secretsd.testing.kill_hunt.caller import Caller, Unanswered
from secretsd.testing.kill_hunt.journal import Entry, Request
from secretsd.testing.kill_hunt.plan import Kind

State = Mapping[str, Any]
AWAY = frozenset({"keystore-unavailable", "storage-unavailable", "throttled"})
UNDECIDED = frozenset({"storage-unavailable", "internal"})
SETTLE_SECONDS = 60.0
PAUSE_SECONDS = 0.01


class _Anything:
    """Equal to whatever there is, but not to None: stands for what only an answer could have told."""

    def __eq__(self, other: object) -> bool:
        return other is not None

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "anything"


ANYTHING: Final[Any] = _Anything()


@dataclass(frozen=True, slots=True)
class Act:
    """A request and what it means: `after` gives the state that follows, from the answer's body where there is one.

    `check` looks at the body of an answer and says what is wrong with it, or nothing. `refusals` may be answered too.
    """

    request: Request
    after: Callable[[State, Mapping[str, Any] | None], State]
    check: Callable[[Mapping[str, Any]], str] = lambda body: ""
    refusals: frozenset[str] = frozenset()


class Owner(ABC):
    """Keeps the state of its thing across answers, refusals and kills. For one thread at a time."""

    def __init__(self, caller: Caller, rng: random.Random, account: str) -> None:
        self.caller = caller
        self.journal = caller.journal
        self.state: State = {}
        self.rng = rng
        self.account = account

    @property
    @abstractmethod
    def name(self) -> str:
        """What a finding calls the thing."""

    @abstractmethod
    def observe(self, *, wholly: bool) -> State:
        """The state as the daemon shows it, values compared on the way; Away or Unanswered when it does not."""

    @abstractmethod
    def act(self, kind: Kind) -> Act:
        """An act of the kind; where the thing is not fit for it, it is made so first."""

    def do(self, act: Act, under_way: Callable[[], None] | None = None) -> Answered | None:
        """Do it, with a call while the answer is waited for; the answer, or None when there was none to be had."""
        entry = self.caller.send(act.request)
        if under_way is not None:
            under_way()
        try:
            answer = self.caller.receive(entry)
        except Unanswered:
            self._resolve(act, entry)
            return None
        if answer.status == 200:
            self.state = act.after(self.state, answer.body)
            if wrong := act.check(answer.body):
                self.journal.finding(f"{act.request.operation} of {self.name} was answered wrongly: {wrong}")
        elif answer.kind in UNDECIDED:
            self.journal.finding(f"{act.request.operation} of {self.name} was refused: {answer.kind}")
            self._resolve(act, entry)
        elif answer.kind not in AWAY | act.refusals:
            self.journal.finding(f"{act.request.operation} of {self.name} was refused: {answer.kind}")
        return answer

    def surely(self, act: Act) -> None:
        """Do it until it is answered with success, or until it is known to have taken effect."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            wanted = act.after(self.state, None)
            answer = self.do(act)
            if (answer is not None and answer.status == 200) or (answer is None and wanted == self.state):
                return
            time.sleep(PAUSE_SECONDS)
        raise RuntimeError(f"cannot get {act.request.operation} of {self.name} done")

    def verify(self, *, wholly: bool) -> None:
        """Hold what the daemon shows against what it must be."""
        observed = self.patiently(wholly=wholly)
        if observed != self.state:
            self.journal.finding(f"{self.name} is not as answered: {difference(observed, self.state)}")
        self.state = observed

    def patiently(self, *, wholly: bool) -> State:
        """Observe, however often it takes."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            try:
                return self.observe(wholly=wholly)
            except (Away, Unanswered):
                if time.monotonic() > deadline:
                    raise RuntimeError(f"cannot observe {self.name} for {SETTLE_SECONDS:g} s") from None
                time.sleep(PAUSE_SECONDS)

    def ask(self, request: Request, *missing: str) -> Mapping[str, Any] | None:
        """The body of a read's answer, None for a refusal of the kinds named, Away while something restarts."""
        answer = self.caller.call(request)
        if answer.status == 200:
            body: Mapping[str, Any] = answer.body
            return body
        if answer.kind in missing:
            return None
        if answer.kind not in AWAY:
            self.journal.finding(f"{request.operation} of {self.name} was refused: {answer.kind}")
        raise Away

    def resource(self, path: str) -> str:
        """The whole name of something in the hunt's account."""
        return f"secretsd:{self.account}:{path}"

    def _resolve(self, act: Act, entry: Entry) -> None:
        """Find out what an unanswered act did: all of it or nothing, which must show in what is there now."""
        before, after = self.state, act.after(self.state, None)
        observed = self.patiently(wholly=False)
        undone, done = observed == before, observed == after
        if not undone and not done:
            half = f"{difference(observed, before)}; {difference(observed, after)}"
            self.journal.finding(f"{act.request.operation} of {self.name} is half there: {half}")
        entry.stored = None if undone and done else done
        self.state = observed


class Away(Exception):
    """Something that the answer needs is being started again."""


def difference(observed: State, expected: State) -> str:
    """The names of the fields that differ, and no contents."""
    fields = sorted(key for key in {*observed, *expected} if observed.get(key) != expected.get(key))
    return "differs in " + ", ".join(fields) if fields else "does not differ"
