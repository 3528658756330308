"""Requests and responses about CMKs."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from secretsd.api.fields import Description, KeyId, Limit, PageToken, Request, Response, Tags


class CreateKeyRequest(Request, frozen=True, kw_only=True):
    """A new CMK, made in the HSM."""

    spec: Annotated[Literal["AES_256"], Meta(description="What the material is.")] = "AES_256"
    description: Description = ""
    tags: Tags = msgspec.field(default_factory=dict)

    @property
    def resource_path(self) -> str:
        """No key yet."""
        return "key/*"


class DescribeKeyRequest(Request, frozen=True, kw_only=True):
    """All about a CMK but its material, which nobody gets."""

    key: KeyId

    @property
    def resource_path(self) -> str:
        """The key."""
        return f"key/{self.key}"


class KeyDescription(Response, frozen=True, kw_only=True):
    """A CMK. `protection_level` HSM: its material is only ever in the HSM."""

    id: str
    resource: str
    state: str
    spec: str
    usage: str
    origin: str
    protection_level: str
    owner: str
    description: str
    current_version: int
    created_ms: int
    tags: Mapping[str, str]
    deletion_ms: int | None = None


class ListKeysRequest(Request, frozen=True, kw_only=True):
    """CMKs of the account, in order of id."""

    limit: Limit = 100
    next_token: PageToken | None = None

    @property
    def resource_path(self) -> str:
        """All keys."""
        return "key/*"


class ListKeysResponse(Response, frozen=True, kw_only=True):
    """A page of CMKs."""

    keys: tuple[KeyDescription, ...]
    next_token: str | None = None
