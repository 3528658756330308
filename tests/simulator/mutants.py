"""Engines with one thing wrong each. The simulator has to notice every one of them, by the invariant that it breaks."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from secretsd.domain.secrets import Barrier, Secret
from secretsd.operations import rotation_failures, rotation_moves, rotation_outcomes, rotation_steps
from secretsd.operations.read_barrier import ReadBarrier
from secretsd.operations.registry import OPERATIONS
from secretsd.operations.rotation_orders import job_order, stored
from secretsd.ports.rotator import Outcome
from secretsd.testing.simulator.storage import TurnStorage

Patch = Callable[[pytest.MonkeyPatch], None]
Step = Callable[[Any, Any], Awaitable[Any]]


class Instead:
    """A rotator host of which some methods are others."""

    def __init__(self, call: Any, **methods: Any) -> None:
        self._host = call.parts.rotators
        self.__dict__.update(methods)
        call.parts = replace(call.parts, rotators=self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)


def step(monkeypatch: pytest.MonkeyPatch, name: str, wrong: Callable[[Step, Any, Any], Awaitable[Any]]) -> None:
    genuine = OPERATIONS[name]

    async def handler(call: Any, request: Any) -> Any:
        return await wrong(genuine.handler, call, request)

    monkeypatch.setitem(OPERATIONS, name, replace(genuine, handler=handler))


def promote_before_verify(monkeypatch: pytest.MonkeyPatch) -> None:
    async def wrong(genuine: Step, call: Any, request: Any) -> Any:
        host, orders = call.parts.rotators, []

        async def verify(order: Any) -> None:
            orders.append(order)

        Instead(call, verify=verify)
        answer = await genuine(call, request)
        for order in orders:
            await host.verify(order)
        return answer

    step(monkeypatch, "PromoteRotation", wrong)


def not_in_the_escrow(monkeypatch: pytest.MonkeyPatch) -> None:
    async def keep(*_: Any) -> None:
        pass

    monkeypatch.setattr(rotation_steps, "_keep", keep)


def applied_before_it_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    async def wrong(genuine: Step, call: Any, request: Any) -> Any:
        async def note(_: bytes) -> None:
            pass

        order = await job_order(call, request, *await stored(call, request))
        await call.parts.rotators.apply(order, note)
        return await genuine(call, request)

    step(monkeypatch, "BeginRotationApply", wrong)


def probe_before_settle(monkeypatch: pytest.MonkeyPatch) -> None:
    async def wrong(genuine: Step, call: Any, request: Any) -> Any:
        host, orders = call.parts.rotators, []

        async def settle(order: Any) -> None:
            orders.append(order)

        Instead(call, settle=settle)
        answer = await genuine(call, request)
        for order in orders:
            await host.settle(order)
        return answer

    step(monkeypatch, "ResolveRotation", wrong)


def revoke_before_promote(monkeypatch: pytest.MonkeyPatch) -> None:
    async def wrong(genuine: Step, call: Any, request: Any) -> Any:
        order = await job_order(call, request, *await stored(call, request))
        if order.current is not None:
            await call.parts.rotators.revoke(order, order.current)
        return await genuine(call, request)

    step(monkeypatch, "PromoteRotation", wrong)


def revoke_without_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = rotation_moves.move

    def move(call: Any, *rest: Any, **fields: Any) -> Any:
        if "last_rotated_ms" in fields:
            fields["next_due_ms"] = call.time_ms
        return genuine(call, *rest, **fields)

    monkeypatch.setattr(rotation_outcomes, "move", move)


def unknown_means_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    async def wrong(genuine: Step, call: Any, request: Any) -> Any:
        host = call.parts.rotators

        async def apply(order: Any, note: Any) -> Outcome:
            outcome = await host.apply(order, note)
            return Outcome.REJECTED if outcome is Outcome.UNKNOWN else outcome

        Instead(call, apply=apply)
        return await genuine(call, request)

    step(monkeypatch, "ApplyRotation", wrong)


def barrier_never_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = rotation_moves.guarded
    monkeypatch.setattr(rotation_moves, "guarded", lambda *of: replace(genuine(*of), barrier=Barrier.OPEN))


def a_note_that_holds_no_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation_steps, "guarded", lambda secret, *_: secret)


def reads_are_held_after_the_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    async def wrong(genuine: Step, call: Any, request: Any) -> Any:
        host = call.parts.rotators

        async def apply(order: Any, note: Any) -> Outcome:
            notes = []

            async def later(data: bytes) -> None:
                notes.append(data)

            outcome = await host.apply(order, later)
            for data in notes:
                await note(data)
            return outcome

        Instead(call, apply=apply)
        return await genuine(call, request)

    step(monkeypatch, "ApplyRotation", wrong)


def reads_pass_the_barrier(monkeypatch: pytest.MonkeyPatch) -> None:
    async def passed(_: ReadBarrier, secret: Secret) -> Secret:
        return secret

    monkeypatch.setattr(ReadBarrier, "passed", passed)


def no_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = TurnStorage.commit

    async def commit(self: TurnStorage, unit: Any) -> None:
        await genuine(self, replace(unit, fence=None))

    monkeypatch.setattr(TurnStorage, "commit", commit)


def ends_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = rotation_moves.next_due

    def next_due(call: Any, rotation: Any, after_ms: int) -> int | None:
        return None if rotation.reason or rotation.cancelled else genuine(call, rotation, after_ms)

    monkeypatch.setattr(rotation_outcomes, "next_due", next_due)


def never_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (rotation_failures, rotation_outcomes):
        monkeypatch.setattr(module, "MAX_ATTEMPTS", 10**6)
    monkeypatch.setattr(rotation_failures, "MAX_VERIFICATIONS", 10**6)


def two_events(monkeypatch: pytest.MonkeyPatch) -> None:
    async def wrong(genuine: Step, call: Any, request: Any) -> Any:
        answer = await genuine(call, request)
        call.committed = False
        return answer

    step(monkeypatch, "ResolveRotation", wrong)


@dataclass(frozen=True, slots=True)
class Mutant:
    """What is wrong, the invariant by which it has to be noticed, and the profile whose cases are tried."""

    patch: Patch
    invariant: str
    profile: str = "single-user"

    def __str__(self) -> str:
        return self.patch.__name__


MUTANTS = (
    Mutant(promote_before_verify, "I4"),
    Mutant(not_in_the_escrow, "I1"),
    Mutant(applied_before_it_is_stored, "I1"),
    Mutant(probe_before_settle, "I3"),
    Mutant(revoke_before_promote, "I5", "overlapping"),
    Mutant(revoke_without_grace, "I5", "overlapping"),
    Mutant(unknown_means_rejected, "I2"),
    Mutant(barrier_never_closed, "I4"),
    Mutant(a_note_that_holds_no_reads, "I4"),
    Mutant(reads_are_held_after_the_effect, "I4"),
    Mutant(reads_pass_the_barrier, "I4"),
    Mutant(no_fence, "I6"),
    Mutant(ends_silently, "I9"),
    Mutant(never_gives_up, "I8"),
    Mutant(two_events, "events"),
)
