"""Random values by policy: for secrets that no target has to learn, such as signing keys, tokens and pepper."""

import base64
import secrets
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from secretsd.domain.errors import InvalidRequest
from secretsd.domain.passwords import MAX_LENGTH, PasswordPolicy, generate
from secretsd.domain.rotation import MachineKind
from secretsd.domain.sensitive import Plaintext
from secretsd.ports.rotator import Acceptance, Candidate, Job, Note, Outcome, RotationFailed, StagedSecret


def _flag(description: str) -> Meta:
    return Meta(description=description)


class RandomSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the value is made. All settings but `kind` and `length` are about passwords."""

    kind: Annotated[
        Literal["password", "hex", "base64", "bytes"],
        Meta(description="A password by policy, or random bytes: in hexadecimal, in base64, or as they are (binary)."),
    ] = "password"
    length: Annotated[
        int, Meta(ge=1, le=MAX_LENGTH, description="Characters of the password, or random bytes of the other kinds.")
    ] = 32
    exclude_characters: Annotated[
        str, Meta(max_length=MAX_LENGTH, description="Characters that must not occur, such as quotes or a slash.")
    ] = ""
    exclude_numbers: Annotated[bool, _flag("No digits.")] = False
    exclude_punctuation: Annotated[bool, _flag("No punctuation marks.")] = False
    exclude_uppercase: Annotated[bool, _flag("No uppercase letters.")] = False
    exclude_lowercase: Annotated[bool, _flag("No lowercase letters.")] = False
    include_space: Annotated[bool, _flag("The space may occur.")] = False
    require_each_included_type: Annotated[bool, _flag("At least one character of each type not excluded.")] = True

    def __post_init__(self) -> None:
        """Refuses what can never be made, when the rotation is configured and not in the night it is due."""
        if self.kind == "password":
            self.policy.types()
        elif self.policy != PasswordPolicy(length=self.length):
            raise InvalidRequest("cannot use the settings: those of passwords have no effect on another kind")

    @property
    def policy(self) -> PasswordPolicy:
        """The password's policy."""
        return PasswordPolicy(
            length=self.length,
            exclude_characters=self.exclude_characters,
            exclude_numbers=self.exclude_numbers,
            exclude_punctuation=self.exclude_punctuation,
            exclude_uppercase=self.exclude_uppercase,
            exclude_lowercase=self.exclude_lowercase,
            include_space=self.include_space,
            require_each_included_type=self.require_each_included_type,
        )


class RandomRotator:
    """Makes a new random value; there is no target, the secret itself is where the value is used.

    So nothing outside can refuse, be half done, or still hold the old value: applying succeeds by definition, and
    every version that was ever made is as good as another. What makes a new value count is that it becomes current.
    """

    name: ClassVar[str] = "random"
    Settings: ClassVar[type] = RandomSettings
    machine: ClassVar[MachineKind] = MachineKind.STANDALONE

    async def prepare(self, job: Job) -> Candidate:
        """A fresh value from the operating system's generator, drawn without bias."""
        settings: RandomSettings = job.settings
        if settings.kind == "password":
            return Candidate(Plaintext.from_text(generate(settings.policy, secrets.SystemRandom().randrange)))
        drawn = secrets.token_bytes(settings.length)
        if settings.kind == "hex":
            return Candidate(Plaintext(drawn.hex().encode()))
        if settings.kind == "base64":
            return Candidate(Plaintext(base64.b64encode(drawn)))
        return Candidate(Plaintext(drawn), text=False)

    async def apply(self, job: Job, note: Note) -> Outcome:
        """APPLIED: no step outside can fail. A job without a candidate is refused, as nothing could become current."""
        _require_candidate(job)
        return Outcome.APPLIED

    async def settle(self, job: Job) -> None:
        """Nothing of an interrupted apply can go on anywhere."""

    async def probe(self, job: Job, versions: Sequence[StagedSecret]) -> Mapping[str, Acceptance]:
        """All accepted: there is no target that could have moved on from one to another."""
        return {version.version_id: Acceptance.ACCEPTED for version in versions}

    async def verify(self, job: Job) -> None:
        """The candidate is there, which is all that there is to prove."""
        _require_candidate(job)


def _require_candidate(job: Job) -> None:
    if job.candidate is None or len(job.candidate.value) == 0:
        raise RotationFailed("no-candidate")
