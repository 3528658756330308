"""Requests and responses about the generations of the root, which belong to the operator (account `system`)."""

from typing import Annotated

from msgspec import Meta

from secretsd.api.fields import Request, Response
from secretsd.api.keys import OfKey
from secretsd.domain.names import SYSTEM_ACCOUNT


class DescribeRootKeysRequest(Request, frozen=True, kw_only=True):
    """All generations of the root."""

    @property
    def resource_account(self) -> str:
        """The root belongs to the operator, whoever asks."""
        return SYSTEM_ACCOUNT

    @property
    def resource_path(self) -> str:
        """All of them."""
        return "root-key/*"


class RootKeyDescription(Response, frozen=True, kw_only=True):
    """One generation of the root. Times are in milliseconds since 1970-01-01 UTC; `made_ms` 0 is not known.

    `key_versions` counts the stored key versions that are wrapped by it; None for the one that wraps now, by which all
    others are. `absent_versions` counts those whose imported material is away: by this root alone it is known again,
    so without it they never come back. `held` ones wrap nothing yet; `used_ms` is when one that was held began to wrap.
    `destroyed_ms` is when it left the token of the node that answers.
    """

    kek_id: str
    generation: int
    made_ms: int
    wraps: bool
    held: bool
    destroyed_ms: int | None = None
    key_versions: int | None = None
    absent_versions: int | None = None
    used_ms: int | None = None


class DescribeRootKeysResponse(Response, frozen=True, kw_only=True):
    """The generations, the oldest first; `unknown` counts key versions that are wrapped by none of them.

    `escrowed` counts candidates in the escrow whose key versions are not wrapped by the current generation.
    """

    roots: tuple[RootKeyDescription, ...]
    unknown: int
    escrowed: int


class DescribeErasureRequest(OfKey, frozen=True, kw_only=True):
    """Of which destroyed CMK, and how long backups are kept; without that only a destroyed root erases it from them."""

    retention_days: Annotated[int, Meta(ge=0, le=36500)] | None = None


class DescribeErasureResponse(Response, frozen=True, kw_only=True):
    """From when on no backup of the storage gives the key: None while nothing brings that about.

    `how` is never-in-backups (its material never left the token), root-destroyed (every root that may have wrapped it
    is destroyed: nobody opens a backup's blob any more), backups-expired, or nothing-yet. A recovery wrap that somebody
    keeps, and another token with the same root, are not seen from here.
    """

    id: str
    destroyed_ms: int
    how: str
    at_ms: int | None
    versions: int
