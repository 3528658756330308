"""Runs cases: each from its profile's base to the end of the rotation after it, and tells what did not hold."""

import contextlib
import logging
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from secretsd.domain.rotation import RotationResult, RotationState
from secretsd.domain.secrets import CURRENT
from secretsd.testing.memory_escrow import MemoryEscrow
from secretsd.testing.memory_keystore import MemoryKeyStore
from secretsd.testing.simulator import ending, virtual_time
from secretsd.testing.simulator.base import NAME, Base, copy_files, furnish, prepare
from secretsd.testing.simulator.cases import Case
from secretsd.testing.simulator.gate import Fault, Passage
from secretsd.testing.simulator.node import Services
from secretsd.testing.simulator.profiles import Profile
from secretsd.testing.simulator.target import SimulatedTarget
from secretsd.testing.simulator.watch import Violation
from secretsd.testing.simulator.world import World

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # only a directory of our own in it is used
_NO_FAULTS: dict[int, Fault] = {}


@dataclass(frozen=True, slots=True)
class Run:
    """What became of a case. `hits` are the faults that came about, by the stored state that they met."""

    case: Case
    passages: Sequence[Passage]
    violations: Sequence[Violation]
    result: str
    most_refused: int

    def __str__(self) -> str:
        lines = [str(self.case), *(f"  {violation}" for violation in self.violations)]
        lines += [
            f"    {one.number:3} {one.kind} at {one.state}" + (f": {one.fault.value}" if one.fault else "")
            for one in self.passages
        ]
        return "\n".join([*lines, f"    ended: {self.result}"])


class Simulation:
    """Keeps the bases of the profiles, and runs cases one after the other in a directory of its own."""

    def __init__(self, directory: Path, services: Services) -> None:
        self._directory = directory
        self._services = services
        self._bases: dict[str, Base] = {}
        self._runs = 0

    def run(self, case: Case) -> Run:
        """The case to its end; the same case again takes the same way."""
        base = self._base(case.profile)
        self._runs += 1
        directory = self._directory / f"case-{self._runs}"
        copy_files(base.directory, directory)
        random.seed(0)  # pauses between two tries are drawn
        try:
            return virtual_time.run(lambda: self._case(base, case, directory), base.begin_seconds)
        finally:
            shutil.rmtree(directory)

    def _base(self, profile: Profile) -> Base:
        if profile.name not in self._bases:
            directory = self._directory / f"base-{len(self._bases)}"
            prepare(directory)
            self._bases[profile.name] = virtual_time.run(lambda: self._furnished(profile, directory))
        return self._bases[profile.name]

    async def _furnished(self, profile: Profile, directory: Path) -> Base:
        keystore, escrow = MemoryKeyStore(), MemoryEscrow()
        target = SimulatedTarget(profile.overlapping, not profile.logins)
        target.accepts = {login: frozenset({f"password-{at}"}) for at, login in enumerate(profile.logins)}
        world = World(
            directory, profile, target, escrow, keystore, self._services,
            plan=_NO_FAULTS, script={}, older={}, passwords=len(profile.logins),
        )  # fmt: skip
        await world.begin()
        try:
            await furnish(world.node, profile)
            await world.until_rest()
            older = dict(target.accepts)
            backup = directory.with_name(f"{directory.name}-backup")
            await world.copy_storage(backup)
            await world.next_rotation()
            begin_seconds = world.loop_seconds()
            kept = tuple(await escrow.entries())
            if world.durable.look().rotation.last_result is not RotationResult.DONE:
                raise RuntimeError(f"cannot begin: a rotation of {profile.name} fails without any fault")
        finally:
            await world.close()
        return Base(profile, directory, backup, keystore, kept, target.copy(), older, begin_seconds, world.passwords)

    async def _case(self, base: Base, case: Case, directory: Path) -> Run:
        escrow = MemoryEscrow()
        for entry in base.escrow:
            await escrow.keep(entry)
        world = World(
            directory, case.profile, base.target.copy(), escrow, base.keystore, self._services,
            plan=case.plan, script=case.scenario.script, older=base.older, passwords=base.passwords,
            backup=base.backup,
        )  # fmt: skip
        await world.begin()
        try:
            return await _lived(world, case)
        finally:
            await world.close()


async def _lived(world: World, case: Case) -> Run:
    watch = world.watched()
    world.gate.faulty = True
    await world.next_rotation()
    ending.at_rest(watch)
    rotation = watch.stored.rotation
    if rotation.state is RotationState.QUARANTINED:
        await world.node.call("ResumeRotation", name=NAME)
        await world.until_rest()
        ending.at_rest(watch)
    world.gate.faulty = False
    result = rotation.last_result.value + (f" ({rotation.reason})" if rotation.reason else "")
    passages = tuple(world.gate.passages)
    if watch.stored.rotation.state is RotationState.QUARANTINED:
        await world.node.call("ResumeRotation", name=NAME)
        await world.until_rest()
        ending.at_rest(watch)
        resumed = watch.stored.rotation
        if resumed.state is RotationState.QUARANTINED and not watch.out_of_sight:
            watch.found("liveness", "a quarantined rotation does not go on when a person resumes it")
    await _once_more(world)
    watch.counted()
    ending.history(watch, world.durable)
    return Run(case, passages, tuple(watch.violations.values()), result, world.target.most_refused)


async def _once_more(world: World) -> None:
    """One more rotation without any fault: it succeeds, and what is served then works."""
    watch = world.watched()
    before = watch.stored.secret.stages.get(CURRENT)
    if watch.stored.rotation.state is not RotationState.IDLE:
        return
    await world.node.call("RotateSecret", name=NAME)
    await world.until_rest()
    ending.at_rest(watch)
    after = watch.stored
    if watch.out_of_sight and after.rotation.state is RotationState.QUARANTINED:
        return  # nobody can log in any more, and a person is told
    if after.rotation.last_result is not RotationResult.DONE or after.secret.stages.get(CURRENT) == before:
        watch.found("liveness", "the rotation after it does not succeed")


@contextlib.contextmanager
def simulation(services: Services) -> Iterator[Simulation]:
    """A simulation in memory where the host has a file system for that, and without a line in the log."""
    above = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with tempfile.TemporaryDirectory(prefix="secretsd-simulator-", dir=above) as directory:
            yield Simulation(Path(directory), services)
    finally:
        logging.disable(disabled)


@dataclass(slots=True)
class Report:
    """What a number of runs showed, without their details."""

    cases: int = 0
    met: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    results: Counter[str] = field(default_factory=Counter)
    failed: list[Run] = field(default_factory=list)
    most_refused: int = 0

    def add(self, run: Run) -> None:
        """Count one run."""
        self.cases += 1
        self.results[run.result.partition(" ")[0]] += 1
        self.most_refused = max(self.most_refused, run.most_refused)
        for passage in run.passages:
            if passage.number in run.case.plan and passage.fault is not None:
                self.met[run.case.profile.machine.value, passage.state, passage.fault.value] += 1
        if run.violations:
            self.failed.append(run)
