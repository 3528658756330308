"""Requests and responses that show rotations: one of them, all of them, their history, and an explanation."""

from typing import Annotated, Literal

from msgspec import Meta

from secretsd.api.fields import Limit, PageToken, Request, Response
from secretsd.api.secrets import OfSecret, RotationDescription
from secretsd.domain.rotation import RotationState

StateWord = Annotated[
    str,
    Meta(
        pattern=rf"^(?:{'|'.join(state.value for state in RotationState)})$(?![\s\S])",
        description="A state of rotations.",
    ),
]


class DescribeRotationRequest(OfSecret, frozen=True, kw_only=True):
    """Where the rotation of a secret stands."""


class RotationStatus(Response, frozen=True, kw_only=True):
    """A rotation as it stands. `since_ms` is when it came to its state, or when its target was found away.

    `meaning` is the reason in words; `next_action` is what a person does next, missing where it goes on by itself.
    """

    name: str
    rotation: RotationDescription
    since_ms: int | None = None
    run: int = 0
    candidate: str | None = None
    cancelled: bool = False
    meaning: str | None = None
    next_action: str | None = None


class ListRotationsRequest(Request, frozen=True, kw_only=True):
    """Rotations of secrets whose names begin with `prefix`, all of them or those in a state."""

    prefix: Annotated[str, Meta(pattern=r"^[A-Za-z0-9/_+=.@!-]*$(?![\s\S])", max_length=512)] = ""
    state: StateWord | None = None
    quarantined: bool = False
    limit: Limit = 100
    next_token: PageToken | None = None

    @property
    def resource_path(self) -> str:
        """The names asked for, as a glob: who may list `secret/prod/*` need not be allowed to list all."""
        return f"secret/{self.prefix}*"


class ListRotationsResponse(Response, frozen=True, kw_only=True):
    """A page of rotations, in no order that means anything. It may be short, even empty, and still have a next one."""

    rotations: tuple[RotationStatus, ...]
    next_token: str | None = None


class ListRotationStepsRequest(OfSecret, frozen=True, kw_only=True):
    """The history of a rotation."""

    limit: Limit = 100
    next_token: PageToken | None = None


class RotationStepDescription(Response, frozen=True, kw_only=True):
    """An entry of the history: to which state the rotation came, when and why. `result` stands where a run ended.

    `number` counts the entries and `run` the rotations; `epoch` is that of the lease under which it was written.
    """

    number: int
    run: int
    time_ms: int
    state: str
    reason: str = ""
    version_id: str | None = None
    epoch: int = 0
    attempts: int = 0
    result: str | None = None


class ListRotationStepsResponse(Response, frozen=True, kw_only=True):
    """A page of the history, the newest entry first."""

    name: str
    steps: tuple[RotationStepDescription, ...]
    next_token: str | None = None


class ExplainRotationRequest(OfSecret, frozen=True, kw_only=True):
    """With `probe_target` the target is asked which versions it accepts, by one login for each: that needs what reading
    their values and UseTarget on the target need. While a step is under way it is left alone.
    """

    probe_target: bool = True


class ServedDescription(Response, frozen=True, kw_only=True):
    """What callers are served now who ask for the current value.

    `how`: `as-usual`; `held`, they wait until it is known which value works; `unproved`, they get the value that was
    proved last, marked so; `nothing`.
    """

    how: Literal["as-usual", "held", "unproved", "nothing"]
    meaning: str
    version_id: str | None = None
    number: int | None = None


class AtTarget(Response, frozen=True, kw_only=True):
    """What the target said of a version, just now. `reason` says why it could not be asked."""

    stage: Literal["current", "candidate"]
    version_id: str
    number: int
    acceptance: Literal["accepted", "refused", "unknown"]
    reason: str = ""
    meaning: str | None = None


class RotationExplanation(Response, frozen=True, kw_only=True):
    """All that helps to understand where a rotation stands, and what to do next.

    `cause` says why it is there. Where the target was not asked, `versions` is empty and `not_asked` says why.
    `steps` are the last of its history, the newest first; `next_command` is missing where there is nothing to do.
    """

    status: RotationStatus
    cause: str
    served: ServedDescription
    versions: tuple[AtTarget, ...] = ()
    not_asked: str | None = None
    steps: tuple[RotationStepDescription, ...] = ()
    next_command: str | None = None
