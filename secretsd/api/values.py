"""Requests and responses about the values of secrets: their versions and stages, in batches and at random."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta

from secretsd.api.fields import (
    BinaryValue,
    Limit,
    PageToken,
    Request,
    Response,
    SecretName,
    Stage,
    Stages,
    TextValue,
    VersionId,
)
from secretsd.api.secrets import OfSecret, OfSharedSecret


class GetSecretValueRequest(OfSharedSecret, frozen=True, kw_only=True):
    """By stage, by version, or both, which then must agree; the stage is `current` when neither is given."""

    stage: Stage | None = None
    version_id: VersionId | None = None


class GetSecretValueResponse(Response, frozen=True, kw_only=True):
    """A version with its value, as text or as binary.

    `unproved` is true while a rotation is interrupted and its target cannot be asked: the value is then the last that
    was proved to work, and may have been replaced there.
    """

    name: str
    version_id: str
    number: int
    stages: tuple[str, ...]
    created_ms: int
    text: TextValue | None = None
    binary: BinaryValue | None = None
    unproved: bool = False


class PutSecretValueRequest(OfSharedSecret, frozen=True, kw_only=True):
    """A new version. The same token with the same value again changes nothing; with another value it is a conflict."""

    text: TextValue | None = None
    binary: BinaryValue | None = None
    token: VersionId | None = None
    stages: Stages = ("current",)


class PutSecretValueResponse(Response, frozen=True, kw_only=True):
    """The version that holds the value."""

    name: str
    version_id: str
    number: int
    stages: tuple[str, ...]


class ListSecretVersionIdsRequest(OfSecret, frozen=True, kw_only=True):
    """Versions, the newest first; those without a stage only when asked for."""

    include_unlabelled: bool = False
    limit: Limit = 100
    next_token: PageToken | None = None


class VersionDescription(Response, frozen=True, kw_only=True):
    """A version without its value."""

    id: str
    number: int
    data_type: str
    created_ms: int
    key_id: str
    stages: tuple[str, ...]


class ListSecretVersionIdsResponse(Response, frozen=True, kw_only=True):
    """A page of versions."""

    name: str
    versions: tuple[VersionDescription, ...]
    next_token: str | None = None


class UpdateSecretVersionStageRequest(OfSecret, frozen=True, kw_only=True):
    """Moves a stage. `remove_from` names the version that holds it, if one does and it is to move."""

    stage: Stage
    move_to: VersionId | None = None
    remove_from: VersionId | None = None


class StagesResponse(Response, frozen=True, kw_only=True):
    """Where each stage of the secret is now."""

    name: str
    stages: Mapping[str, str]


class BatchGetSecretValueRequest(Request, frozen=True, kw_only=True):
    """Up to 20 secrets at once, each at its current stage; what cannot be read is told one by one."""

    names: Annotated[tuple[SecretName, ...], Meta(min_length=1, max_length=20)]

    @property
    def resource_path(self) -> str:
        """All secrets; each is authorised as GetSecretValue by itself as well."""
        return "secret/*"


class BatchError(Response, frozen=True, kw_only=True):
    """A secret that could not be read, and why."""

    name: str
    kind: str
    message: str


class BatchGetSecretValueResponse(Response, frozen=True, kw_only=True):
    """The values that may be read and the errors of the others."""

    values: tuple[GetSecretValueResponse, ...]
    errors: tuple[BatchError, ...]


class GetRandomPasswordRequest(Request, frozen=True, kw_only=True):
    """What a random password is made of; it is stored nowhere."""

    length: Annotated[int, Meta(ge=1, le=4096)] = 32
    exclude_characters: Annotated[str, Meta(max_length=4096)] = ""
    exclude_lowercase: bool = False
    exclude_uppercase: bool = False
    exclude_numbers: bool = False
    exclude_punctuation: bool = False
    include_space: bool = False
    require_each_included_type: bool = True

    @property
    def resource_path(self) -> str:
        """No stored thing."""
        return "password"


class GetRandomPasswordResponse(Response, frozen=True, kw_only=True):
    """The password."""

    text: TextValue
