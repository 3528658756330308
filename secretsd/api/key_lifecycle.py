"""Requests and responses about the life of CMKs: their states, deletion, versions and public keys."""

from typing import Annotated

from msgspec import Meta

from secretsd.api.fields import Limit, PageToken, Response
from secretsd.api.keys import OfKey, Reason


class EnableKeyRequest(OfKey, frozen=True, kw_only=True):
    """A disabled key is used again."""


class DisableKeyRequest(OfKey, frozen=True, kw_only=True):
    """The key is used no more, by nobody and nothing, until it is enabled again."""


class ScheduleKeyDeletionRequest(OfKey, frozen=True, kw_only=True):
    """The key is used no more, and is destroyed once so many days have passed."""

    pending_window_days: Annotated[int, Meta(ge=7, le=366)] = 30


class CancelKeyDeletionRequest(OfKey, frozen=True, kw_only=True):
    """The key stays, disabled."""


class KeyStateResponse(Response, frozen=True, kw_only=True):
    """The state that the key is in now. `deletion_ms` is when it is going to be destroyed, if it is."""

    id: str
    state: str
    deletion_ms: int | None = None


class SetDeletionProtectionRequest(OfKey, frozen=True, kw_only=True):
    """Whether the key is protected from deletion, and why."""

    enabled: bool
    reason: Reason = ""


class DeletionProtectionResponse(Response, frozen=True, kw_only=True):
    """Whether the key is protected from deletion now, and why."""

    id: str
    deletion_protection: bool
    protection_reason: str


class ListKeyVersionsRequest(OfKey, frozen=True, kw_only=True):
    """Versions of a key, the newest first."""

    limit: Limit = 100
    next_token: PageToken | None = None


class KeyVersionDescription(Response, frozen=True, kw_only=True):
    """A key version. `state`: live, absent (imported material that is gone and may come back), destroyed."""

    version: int
    state: str
    current: bool
    created_ms: int


class ListKeyVersionsResponse(Response, frozen=True, kw_only=True):
    """A page of key versions."""

    id: str
    versions: tuple[KeyVersionDescription, ...]
    next_token: str | None = None


class GetPublicKeyRequest(OfKey, frozen=True, kw_only=True):
    """The public half of an asymmetric key that is enabled."""


class GetPublicKeyResponse(Response, frozen=True, kw_only=True):
    """A SubjectPublicKeyInfo (RFC 5280): `public_key` is its DER, `pem` the same as RFC 7468 writes it."""

    id: str
    version: int
    spec: str
    usage: str
    algorithms: tuple[str, ...]
    public_key: bytes
    pem: str
