"""Requests and responses about secrets."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from secretsd.api.fields import (
    BinaryValue,
    Description,
    KeyReference,
    Limit,
    Milliseconds,
    PageToken,
    Request,
    Response,
    SecretName,
    SecretReference,
    TagKeys,
    Tags,
    TextValue,
    VersionId,
)
from secretsd.domain.names import split_reference


class OfSecret(Request, frozen=True, kw_only=True):
    """A request about one secret."""

    name: SecretName

    @property
    def resource_path(self) -> str:
        """The secret."""
        return f"secret/{self.name}"


class OfSharedSecret(Request, frozen=True, kw_only=True):
    """A request about one secret that may be another account's, which `name` then names in full."""

    name: SecretReference

    @property
    def resource_path(self) -> str:
        """The secret."""
        return f"secret/{self.name}" if ":" not in self.name else split_reference(self.name)[1]

    @property
    def resource_account(self) -> str | None:
        """The secret's account, where it is named."""
        return None if ":" not in self.name else split_reference(self.name)[0]

    @property
    def secret(self) -> str:
        """The secret's name within its account."""
        return self.name if ":" not in self.name else self.resource_path.removeprefix("secret/")


class CreateSecretRequest(OfSecret, frozen=True, kw_only=True):
    """Without a value the secret has no version yet. `token` becomes the version's id."""

    description: Description = ""
    key_id: KeyReference | None = None
    tags: Tags = msgspec.field(default_factory=dict)
    text: TextValue | None = None
    binary: BinaryValue | None = None
    token: VersionId | None = None


class CreateSecretResponse(Response, frozen=True, kw_only=True):
    """The new secret and, if a value came with it, its first version."""

    name: str
    resource: str
    id: str
    version_id: str | None = None


class UpdateSecretRequest(OfSecret, frozen=True, kw_only=True):
    """What is not given stays. A value becomes a new current version; a key re-encrypts the labelled versions."""

    description: Description | None = None
    key_id: KeyReference | None = None
    text: TextValue | None = None
    binary: BinaryValue | None = None
    token: VersionId | None = None


class UpdateSecretResponse(Response, frozen=True, kw_only=True):
    """The secret and, if a value came, its new version."""

    name: str
    version_id: str | None = None


class DescribeSecretRequest(OfSharedSecret, frozen=True, kw_only=True):
    """All about a secret but its value."""


Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class WindowDescription(Response, frozen=True, kw_only=True):
    """A time in which rotations may begin, in the schedule's time zone."""

    days: tuple[str, ...]
    start: str
    minutes: int


class RotationDescription(Response, frozen=True, kw_only=True):
    """How a secret is rotated and where that stands. Times are in milliseconds since 1970-01-01 UTC."""

    rotator: str
    enabled: bool
    state: str
    reason: str
    attempts: int
    machine: str = "standalone"
    target: str | None = None
    logins: tuple[str, ...] = ()
    grace_seconds: int | None = None
    away: bool = False
    last_result: str = "none"
    every_seconds: int | None = None
    cron: str | None = None
    time_zone: str = "UTC"
    jitter_seconds: int = 0
    windows: tuple[WindowDescription, ...] = ()
    next_due_ms: int | None = None
    last_rotated_ms: int | None = None


class SecretDescription(Response, frozen=True, kw_only=True):
    """A secret without its value. `deletion_ms` is when it will be erased, if it waits for that."""

    name: str
    resource: str
    id: str
    description: str
    key_id: str
    created_ms: int
    changed_ms: int
    version_count: int
    stages: Mapping[str, str]
    tags: Mapping[str, str]
    deletion_ms: int | None = None
    rotation: RotationDescription | None = None


class ListSecretsRequest(Request, frozen=True, kw_only=True):
    """Secrets by name. `tags` are written key=value; all of them must be there."""

    prefix: Annotated[str, Meta(pattern=r"^[A-Za-z0-9/_+=.@!-]*$(?![\s\S])", max_length=512)] = ""
    tags: Annotated[tuple[Annotated[str, Meta(max_length=400)], ...], Meta(max_length=10)] = ()
    include_deleted: bool = False
    limit: Limit = 100
    next_token: PageToken | None = None

    @property
    def resource_path(self) -> str:
        """The names asked for, as a glob: who may list `secret/prod/*` need not be allowed to list all."""
        return f"secret/{self.prefix}*"


class ListSecretsResponse(Response, frozen=True, kw_only=True):
    """A page of secrets, in order of name."""

    secrets: tuple[SecretDescription, ...]
    next_token: str | None = None


class DeleteSecretRequest(OfSecret, frozen=True, kw_only=True):
    """Either a recovery window of 7 to 30 days (30 when nothing is said) or `force`, which erases at once."""

    recovery_window_days: Annotated[int, Meta(ge=7, le=30)] | None = None
    force: bool = False


class DeleteSecretResponse(Response, frozen=True, kw_only=True):
    """When the secret is erased: in the future, or now."""

    name: str
    deletion_ms: Milliseconds


class RestoreSecretRequest(OfSecret, frozen=True, kw_only=True):
    """Ends the wait for deletion."""


class RestoreSecretResponse(Response, frozen=True, kw_only=True):
    """The secret that is in use again."""

    name: str


class OfTagged(Request, frozen=True, kw_only=True):
    """A request about what carries tags: `secret/<name>`, `key/<id>`, `alias/<name>`, `user/<name>`, `role/<name>`."""

    resource: Annotated[str, Meta(pattern=r"^(?:secret|key|alias|user|role)/[A-Za-z0-9_+=.@!/-]+$", max_length=520)]

    @property
    def resource_path(self) -> str:
        """What carries the tags."""
        return self.resource


class TagResourceRequest(OfTagged, frozen=True, kw_only=True):
    """Adds tags; a key that is there already gets the new value."""

    tags: Annotated[Tags, Meta(min_length=1)]


class UntagResourceRequest(OfTagged, frozen=True, kw_only=True):
    """Takes tags away; a key that is not there is no error."""

    keys: TagKeys

    @property
    def tag_keys(self) -> TagKeys:
        """What conditions look at as secretsd:TagKeys."""
        return self.keys


class TagsResponse(Response, frozen=True, kw_only=True):
    """The tags that are there now."""

    resource: str
    tags: Mapping[str, str]
