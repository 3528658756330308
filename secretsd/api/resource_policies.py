"""Requests and responses about policies of resources: what the owner of a key or secret lets others do, or denies."""

from typing import Annotated

from msgspec import Meta

from secretsd.api.fields import Request, Response
from secretsd.api.policies import Document

PolicedResource = Annotated[
    str,
    Meta(
        pattern=r"^(?:secret|key|alias)/[A-Za-z0-9_+=.@!/-]+$",
        max_length=520,
        description="`secret/<name>`, `key/<id>`, or a key as `alias/<name>`.",
    ),
]


class OfPolicyOfResource(Request, frozen=True, kw_only=True):
    """A request about the policy of a secret or key."""

    resource: PolicedResource

    @property
    def resource_path(self) -> str:
        """What the policy is about."""
        return self.resource


class PutResourcePolicyRequest(OfPolicyOfResource, frozen=True, kw_only=True):
    """The policy takes the place of the one that is there. Its statements say in Principal to whom they speak.

    One that would deny the caller to put another one is refused, unless he says that he means it.
    """

    document: Document
    bypass_lockout_check: bool = False


class GetResourcePolicyRequest(OfPolicyOfResource, frozen=True, kw_only=True):
    """The policy of a resource, with its document."""


class DeleteResourcePolicyRequest(OfPolicyOfResource, frozen=True, kw_only=True):
    """The policy goes; what the account's own policies say stays."""


class ResourcePolicyDescription(Response, frozen=True, kw_only=True):
    """The policy of a resource. `changed_ms` is in milliseconds since 1970-01-01 UTC."""

    resource: str
    document: str
    changed_ms: int
