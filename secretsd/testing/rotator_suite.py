"""The conformance suite of the rotator port: what the engine relies on, for any rotator with its real target.

A test module subclasses `RotatorSuite`, names the rotator and its bad settings, and gives it the fixture `settings`:
the JSON text of settings that fit a target which is there for this test alone.
"""
# ruff: noqa: S101 - a suite asserts

import re
from importlib.metadata import entry_points
from typing import Any, ClassVar

import msgspec
import pytest

from secretsd.domain.errors import InvalidRequest
from secretsd.domain.secrets import MAX_VALUE_BYTES
from secretsd.ports.rotator import Acceptance, Candidate, Job, Outcome, RotationFailed, Rotator, StagedSecret

SECRET_ID = "11111111-2222-4333-8444-555555555555"


class RotatorSuite:
    """One test a rule. Every call may come twice, as after a crash."""

    rotator_type: ClassVar[type[Rotator]]
    bad_settings: ClassVar[tuple[str, ...]] = ()
    """JSON texts that the rotator's Settings must refuse, beside those that the suite tries itself."""

    @pytest.fixture
    def settings(self) -> str:
        """Overridden: settings for a target of this test's own."""
        raise NotImplementedError

    @pytest.fixture
    def rotator(self) -> Rotator:
        """A rotator as the host makes it: without arguments."""
        return self.rotator_type()

    @pytest.fixture
    async def notes(self) -> list[bytes]:
        """What was noted, in order."""
        return []

    @pytest.fixture
    async def candidate(self, rotator: Rotator, settings: str) -> Candidate:
        """A prepared candidate."""
        return await rotator.prepare(self.job(rotator, settings))

    def job(self, rotator: Rotator, settings: str, candidate: Candidate | None = None, **fields: Any) -> Job:
        """A job on one secret, with the candidate as the engine would stage it."""
        staged = None
        if candidate is not None:
            staged = StagedSecret("candidate", candidate.value, journal=candidate.journal)
            fields.setdefault("journal", (candidate.journal,))
        decoded: Any = msgspec.json.decode(settings, type=rotator.Settings)
        fields = {"secret_id": SECRET_ID, "current": None, **self.reached(), **fields}
        return Job(secret="some/secret", settings=decoded, epoch=1, candidate=staged, **fields)

    def reached(self) -> dict[str, Any]:
        """Overridden where a rotator needs them: `target` and `logins` of the job, perhaps `current`."""
        return {}

    async def apply(self, rotator: Rotator, job: Job, notes: list[bytes]) -> Outcome:
        """Apply, with notes kept as the engine keeps them."""

        async def note(data: bytes) -> None:
            notes.append(data)

        return await rotator.apply(job, note)

    def test_it_is_found_by_its_entry_point(self) -> None:
        found = entry_points(group="secretsd.rotators", name=self.rotator_type.name)
        assert [entry_point.load() for entry_point in found] == [self.rotator_type]

    def test_its_first_line_says_what_it_does(self) -> None:
        assert (self.rotator_type.__doc__ or "").strip().splitlines()[0].rstrip(".;")

    def test_its_settings_are_frozen_and_documented(self) -> None:
        kind = self.rotator_type.Settings
        assert issubclass(kind, msgspec.Struct)
        assert kind.__struct_config__.frozen
        schema = msgspec.json.schema(kind)
        (described,) = (found for name, found in schema["$defs"].items() if name == kind.__name__)
        assert described["additionalProperties"] is False
        assert [name for name, of in described["properties"].items() if not of.get("description")] == []

    def test_it_refuses_settings_that_it_does_not_know(self, settings: str) -> None:
        unknown = msgspec.json.encode({**msgspec.json.decode(settings), "no-such-setting": 1})
        for bad in (unknown, b"[]", b"7", *(text.encode() for text in self.bad_settings)):
            with pytest.raises((msgspec.ValidationError, InvalidRequest)):
                msgspec.json.decode(bad, type=self.rotator_type.Settings)

    async def test_a_candidate_is_new_each_time_and_fits_a_secret(self, rotator: Rotator, settings: str) -> None:
        made = [await rotator.prepare(self.job(rotator, settings)) for _ in range(3)]
        assert len({one.value.reveal() for one in made}) == len(made)
        assert all(0 < len(one.value) <= MAX_VALUE_BYTES for one in made)
        for one in made:
            assert not one.text or one.value.reveal().decode()

    async def test_the_public_part_shows_nothing_of_the_value(self, candidate: Candidate) -> None:
        value = candidate.value.reveal()
        assert all(value not in (name + text).encode() for name, text in candidate.public.items())
        assert value not in repr(candidate).encode()

    async def test_the_target_accepts_what_was_applied(
        self, rotator: Rotator, settings: str, candidate: Candidate, notes: list[bytes]
    ) -> None:
        job = self.job(rotator, settings, candidate)
        assert await self.apply(rotator, job, notes) is Outcome.APPLIED
        assert job.candidate is not None
        assert await rotator.probe(job, [job.candidate]) == {"candidate": Acceptance.ACCEPTED}
        await rotator.verify(job)

    async def test_applying_again_changes_nothing_further(
        self, rotator: Rotator, settings: str, candidate: Candidate, notes: list[bytes]
    ) -> None:
        first = self.job(rotator, settings, candidate)
        assert await self.apply(rotator, first, notes) is Outcome.APPLIED
        again = self.job(rotator, settings, candidate, journal=(candidate.journal, *notes))
        assert await self.apply(rotator, again, notes) is Outcome.APPLIED
        await rotator.verify(again)

    async def test_settling_and_verifying_may_come_twice(
        self, rotator: Rotator, settings: str, candidate: Candidate, notes: list[bytes]
    ) -> None:
        job = self.job(rotator, settings, candidate)
        await rotator.settle(job)
        assert await self.apply(rotator, job, notes) is Outcome.APPLIED
        for _ in range(2):
            await rotator.settle(job)
            await rotator.verify(job)

    async def test_a_probe_answers_for_exactly_the_versions_asked(
        self, rotator: Rotator, settings: str, candidate: Candidate, notes: list[bytes]
    ) -> None:
        job = self.job(rotator, settings, candidate)
        assert await self.apply(rotator, job, notes) is Outcome.APPLIED
        other = await rotator.prepare(self.job(rotator, settings))
        asked = [
            StagedSecret("candidate", candidate.value, journal=candidate.journal),
            StagedSecret("other", other.value),
        ]
        assert set(await rotator.probe(job, asked)) == {"candidate", "other"}
        assert await rotator.probe(job, []) == {}

    async def test_without_a_candidate_it_refuses_in_one_word(
        self, rotator: Rotator, settings: str, notes: list[bytes]
    ) -> None:
        job = self.job(rotator, settings)
        for call in (self.apply(rotator, job, notes), rotator.verify(job)):
            with pytest.raises(RotationFailed) as refused:
                await call
            assert re.fullmatch(r"[a-z][a-z-]{0,63}", refused.value.reason)
