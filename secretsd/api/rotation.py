"""Requests and responses about the rotation of secrets."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from secretsd.api.fields import Request, Response, Word
from secretsd.api.secrets import Day, OfSecret, RotationDescription


class WindowFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A time in which rotations may begin: opens on each of the days at `start`, a time of the day such as 02:30, for
    so many minutes. It may cross midnight.
    """

    days: Annotated[tuple[Day, ...], Meta(min_length=1, max_length=7)]
    start: Annotated[str, Meta(pattern=r"^(?:[01][0-9]|2[0-3]):[0-5][0-9]$(?![\s\S])")]
    minutes: Annotated[int, Meta(ge=15, le=24 * 60)]


class ScheduleFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When: either an interval or a cron line of five fields in a time zone, with an optional random delay.

    What falls outside all windows, where there are any, waits for the next opening.
    """

    every_seconds: Annotated[int, Meta(ge=1, le=3650 * 24 * 3600)] | None = None
    cron: Annotated[str, Meta(min_length=9, max_length=200)] | None = None
    time_zone: Annotated[str, Meta(min_length=1, max_length=64)] = "UTC"
    jitter_seconds: Annotated[int, Meta(ge=0, le=24 * 3600)] = 0
    windows: Annotated[tuple[WindowFields, ...], Meta(max_length=14)] = ()


Login = Annotated[str, Meta(min_length=1, max_length=128, description="An account at a target.")]


class RotateSecretRequest(OfSecret, frozen=True, kw_only=True):
    """Sets how a secret is rotated, and rotates it now unless told not to. What is not given stays as it was.

    `target` and `logins` are for rotators that reach an operator's target: one login, or two that take turns.
    `grace_seconds` is how long a replaced value stays good where it can. With `rotate_immediately` false a current
    value is taken over as it is, provided that the target accepts it.
    """

    rotator: Word | None = None
    settings: Mapping[str, Any] | None = None
    target: Word | None = None
    logins: Annotated[tuple[Login, ...], Meta(min_length=1, max_length=2)] | None = None
    schedule: ScheduleFields | None = None
    grace_seconds: Annotated[int, Meta(ge=0, le=30 * 24 * 3600)] | None = None
    rotate_immediately: bool = True


class CancelRotateSecretRequest(OfSecret, frozen=True, kw_only=True):
    """Stops the clock of a rotation and leads one that is under way back to the value before; settings stay."""


class PauseRotationRequest(OfSecret, frozen=True, kw_only=True):
    """Stops the clock of a rotation; one that is under way is finished."""


class ResumeRotationRequest(OfSecret, frozen=True, kw_only=True):
    """Starts the clock again, and takes up a quarantined rotation where it stopped."""


class RotationResponse(Response, frozen=True, kw_only=True):
    """The rotation as it stands."""

    name: str
    rotation: RotationDescription


class ListRotatorsRequest(Request, frozen=True, kw_only=True):
    """The rotators that this host may run."""

    @property
    def resource_path(self) -> str:
        """All rotators."""
        return "rotator/*"


class RotatorSummary(Response, frozen=True, kw_only=True):
    """A rotator: what it does and the JSON Schema of its settings."""

    name: str
    summary: str
    settings_schema: Mapping[str, Any]


class ListRotatorsResponse(Response, frozen=True, kw_only=True):
    """The rotators, by name."""

    rotators: tuple[RotatorSummary, ...]
