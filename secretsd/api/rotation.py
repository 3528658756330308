"""Requests and responses about the rotation of secrets."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from secretsd.api.fields import Request, Response, Word
from secretsd.api.secrets import OfSecret, RotationDescription


class ScheduleFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When: either an interval or a cron line of five fields in a time zone, with an optional random delay."""

    every_seconds: Annotated[int, Meta(ge=1, le=3650 * 24 * 3600)] | None = None
    cron: Annotated[str, Meta(min_length=9, max_length=200)] | None = None
    time_zone: Annotated[str, Meta(min_length=1, max_length=64)] = "UTC"
    jitter_seconds: Annotated[int, Meta(ge=0, le=24 * 3600)] = 0


class RotateSecretRequest(OfSecret, frozen=True, kw_only=True):
    """Sets how a secret is rotated, and rotates it now unless told not to. What is not given stays as it was."""

    rotator: Word | None = None
    settings: Mapping[str, Any] | None = None
    schedule: ScheduleFields | None = None
    rotate_immediately: bool = True


class CancelRotateSecretRequest(OfSecret, frozen=True, kw_only=True):
    """Stops the clock of a rotation; settings stay for the next RotateSecret."""


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
