"""A rotator whose target is a file: what the file holds is what the target accepts. A script says what goes wrong."""

import asyncio
import os
import signal
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import msgspec

from secretsd.domain.rotation import MachineKind
from secretsd.domain.sensitive import Plaintext
from secretsd.ports.rotator import Acceptance, Candidate, Job, Note, Outcome, RotationFailed, StagedSecret


class FiledSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`directory` holds `target`, `log` and, a word a line and used up line by line, `script`."""

    directory: str


class Filed:
    """Writes the value to a file, which accepts one value at a time."""

    name: ClassVar[str] = "filed"
    Settings: ClassVar[type] = FiledSettings
    machine: ClassVar[MachineKind] = MachineKind.SINGLE_USER

    async def prepare(self, job: Job) -> Candidate:
        """A random value, and a note that the engine keeps."""
        self._log(job, "prepare")
        return Candidate(Plaintext(uuid.uuid4().hex.encode()), journal=b"prepared")

    async def apply(self, job: Job, note: Note) -> Outcome:
        """Do what the next line of the script says; without one, apply."""
        self._log(job, f"apply {[entry.decode() for entry in job.journal]}")
        await note(b"about to write")
        word = self._next(job)
        if word == "reject":
            return Outcome.REJECTED
        if word == "refuse":
            raise RotationFailed("not-now")
        if word == "away":
            raise RotationFailed("target-unreachable", away=True)
        if word == "die-before":
            os.kill(os.getpid(), signal.SIGKILL)
        self._write(job)
        if word == "die-after":
            os.kill(os.getpid(), signal.SIGKILL)
        return Outcome.UNKNOWN if word == "unknown" else Outcome.APPLIED

    async def settle(self, job: Job) -> None:
        """Nothing of ours goes on by itself."""
        self._log(job, "settle")
        self._log(job, f"settled {[entry.decode() for entry in job.journal]}")

    async def probe(self, job: Job, versions: Sequence[StagedSecret]) -> Mapping[str, Acceptance]:
        """Compare with the file."""
        self._log(job, "probe")
        return {one.version_id: self._accepts(job, one) for one in versions}

    async def verify(self, job: Job) -> None:
        """The candidate must be what the file holds, and the script must not say that it is unfit."""
        self._log(job, "verify")
        if self._away(job):
            raise RotationFailed("target-unreachable", away=True)
        if self._unfit(job):
            raise RotationFailed("unfit")
        if job.candidate is None or self._accepts(job, job.candidate) is not Acceptance.ACCEPTED:
            raise RotationFailed("not-accepted")

    async def restore(self, job: Job) -> Outcome:
        """Write what was there before."""
        self._log(job, "restore")
        if job.current is not None:
            self._put(job, job.current)
        return Outcome.APPLIED

    def _away(self, job: Job) -> bool:
        return Path(job.settings.directory, "away").exists()

    def _unfit(self, job: Job) -> bool:
        return Path(job.settings.directory, "unfit").exists()

    def _put(self, job: Job, version: StagedSecret) -> None:
        Path(job.settings.directory, "target").write_bytes(version.value.reveal())

    def _write(self, job: Job) -> None:
        if job.candidate is not None:
            self._put(job, job.candidate)

    def _accepts(self, job: Job, version: StagedSecret) -> Acceptance:
        try:
            held = Path(job.settings.directory, "target").read_bytes()
        except FileNotFoundError:
            return Acceptance.REFUSED
        return Acceptance.ACCEPTED if Plaintext(held) == version.value else Acceptance.REFUSED

    def _next(self, job: Job) -> str:
        script = Path(job.settings.directory, "script")
        lines = script.read_text().splitlines() if script.exists() else []
        script.write_text("\n".join(lines[1:]))
        return lines[0] if lines else "apply"

    def _log(self, job: Job, line: str) -> None:
        with Path(job.settings.directory, "log").open("a") as log:
            log.write(line + "\n")


class FiledNoting(Filed):
    """As Filed, and says that it changes nothing before its first note. `far` and `slow` say where it dawdles."""

    name: ClassVar[str] = "filed-noting"
    notes_first: ClassVar[bool] = True

    async def apply(self, job: Job, note: Note) -> Outcome:
        """Reach the target, which takes as long as there is a file `far`; `slow` is for the change itself."""

        async def noted(data: bytes) -> None:
            await note(data)
            await self._while("slow", job)

        await self._while("far", job)
        return await super().apply(job, noted)

    async def _while(self, name: str, job: Job) -> None:
        self._log(job, name)
        while self._is(name, job):  # noqa: ASYNC110  # another process takes the file away
            await asyncio.sleep(0.01)

    def _is(self, name: str, job: Job) -> bool:
        return Path(job.settings.directory, name).exists()
