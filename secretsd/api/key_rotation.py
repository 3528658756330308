"""Requests and responses about the rotation of CMKs and about what is under their older versions."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta

from secretsd.api.fields import Limit, PageToken, Response
from secretsd.api.keys import OfKey
from secretsd.domain.keys import MAX_ROTATION_DAYS, MIN_ROTATION_DAYS
from secretsd.domain.reencryption import DEFAULT_A_SECOND, MAX_A_SECOND, MIN_A_SECOND

KeyVersionNumber = Annotated[int, Meta(ge=1, lt=2**32, description="Number of a key version.")]
PeriodDays = Annotated[
    int, Meta(ge=MIN_ROTATION_DAYS, le=MAX_ROTATION_DAYS, description="Days from one version to the next; else 365.")
]
PeriodSeconds = Annotated[
    int,
    Meta(ge=1, le=MAX_ROTATION_DAYS * 24 * 3600, description="The same in seconds; short ones where settings allow."),
]


class EnableKeyRotationRequest(OfKey, frozen=True, kw_only=True):
    """The key gets a new version each time the period has passed, the first one a period from now."""

    rotation_period_days: PeriodDays | None = None
    rotation_period_seconds: PeriodSeconds | None = None


class DisableKeyRotationRequest(OfKey, frozen=True, kw_only=True):
    """The key gets no new versions by the clock any more."""


class GetKeyRotationStatusRequest(OfKey, frozen=True, kw_only=True):
    """Whether a key is rotated by the clock, and when next."""


class KeyRotationStatus(Response, frozen=True, kw_only=True):
    """How a key is rotated. Without a period it is so by hand alone, and when a version has encrypted too often.

    `oldest_version` is the oldest one that can still decrypt.
    """

    key: str
    enabled: bool
    current_version: int
    oldest_version: int
    rotation_period_seconds: int | None = None
    next_rotation_ms: int | None = None
    last_rotation_ms: int | None = None


class RotateKeyOnDemandRequest(OfKey, frozen=True, kw_only=True):
    """The key gets a new version now; its clock, where it has one, starts again."""


class ListKeyRotationsRequest(OfKey, frozen=True, kw_only=True):
    """When a key got its versions, the newest first."""

    limit: Limit = 100
    next_token: PageToken | None = None


class KeyRotationEntry(Response, frozen=True, kw_only=True):
    """A rotation: which version it made, when, and what became of that version."""

    version: int
    rotated_ms: int
    state: str


class ListKeyRotationsResponse(Response, frozen=True, kw_only=True):
    """A page of rotations. The first version of a key came by no rotation."""

    rotations: tuple[KeyRotationEntry, ...]
    next_token: str | None = None


class ReEncryptSecretsRequest(OfKey, frozen=True, kw_only=True):
    """Begins to move what is under older versions of a key under the current one; one that runs gets the new rate."""

    per_second: Annotated[
        int, Meta(ge=MIN_A_SECOND, le=MAX_A_SECOND, description="Most ciphertexts that are moved in a second.")
    ] = DEFAULT_A_SECOND


class DescribeReEncryptionRequest(OfKey, frozen=True, kw_only=True):
    """How far the re-encryption of what is under a key is."""


class CancelReEncryptionRequest(OfKey, frozen=True, kw_only=True):
    """Stops a re-encryption; what was moved stays moved."""


class ReEncryptionDescription(Response, frozen=True, kw_only=True):
    """A re-encryption. `total` is what there was when it began, `done` what was moved since.

    `left` is what is under older versions now, by kind. `waiting` is held by rotations that are under way, and moved
    once they have ended; `failed` could not be opened.
    """

    key: str
    state: str
    current_version: int
    started_ms: int
    per_second: int
    total: int
    done: int
    waiting: int
    failed: int
    left: Mapping[str, int]
    finished_ms: int | None = None


class DestroyKeyVersionRequest(OfKey, frozen=True, kw_only=True):
    """The oldest version of a key is destroyed for good, with proof that nothing here needs it.

    Ciphertexts that callers made by Encrypt and data keys are theirs, and are not known here: for a key of their own
    the caller has to say that none is needed any more.
    """

    version: KeyVersionNumber
    confirm_unknown_ciphertexts: bool = False


class DestroyKeyVersionResponse(Response, frozen=True, kw_only=True):
    """The version that is gone, and the one that is now the oldest."""

    key: str
    version: int
    oldest_version: int
