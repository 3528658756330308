"""Requests and events about watching secrets: what changed, never to what value."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from secretsd.api.fields import Request, Response, SecretName

MAX_WATCHED_NAMES = 100
EventId = Annotated[str, Meta(max_length=256, description="The id of the last event that arrived.")]


class WatchSecretsRequest(Request, frozen=True, kw_only=True):
    """Up to 100 secrets on one connection; each needs the permission on itself, or all of them are refused.

    With `last_event_id` only those that changed since are told at first, and a secret that is gone is told of as
    deleted. An id that is not ours or too old is no error: everything is told then. The header Last-Event-ID says the
    same, and wins.
    """

    names: Annotated[tuple[SecretName, ...], Meta(min_length=1, max_length=MAX_WATCHED_NAMES)]
    last_event_id: EventId | None = None

    @property
    def resource_path(self) -> str:
        """The first of them; the others are authorised one by one as well."""
        return f"secret/{self.names[0]}"


class SecretChange(Response, frozen=True, kw_only=True):
    """How a secret is now. `version_id` and `number` are its current version's, `stages` says where each stage is.

    `barrier` is hold while reads of the current value wait for a rotation, unproved while that cannot be finished.
    `deleted` is true while the secret waits to be erased and once it is gone; without `secret_id` there is none.
    """

    name: str
    secret_id: str | None = None
    version_id: str | None = None
    number: int | None = None
    stages: Mapping[str, str] = msgspec.field(default_factory=dict)
    barrier: str = "open"
    deleted: bool = False
