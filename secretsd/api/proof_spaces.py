"""Requests and responses about proof spaces: which proofs of identity an operator leaves to which account."""

from typing import Annotated

from msgspec import Meta

from secretsd.api.fields import Limit, Milliseconds, PageToken, Request, Response
from secretsd.api.targets import AccountId
from secretsd.domain.names import SYSTEM_ACCOUNT
from secretsd.domain.proof_spaces import SPACE_PATTERN

Space = Annotated[
    str,
    Meta(
        pattern=SPACE_PATTERN,
        max_length=280,
        description="Proofs of one kind: unix:uid/<n>, unix:uid/<first>-<last>, or systemd:unit/<name>.service, in "
        "which * stands for any text.",
    ),
]


class _OfSpace(Request, frozen=True, kw_only=True):
    space: Space

    @property
    def resource_path(self) -> str:
        """The proof space."""
        return f"proof-space/{self.space}"

    @property
    def resource_account(self) -> str:
        """Proof spaces belong to the operator, whoever asks (SECURITY 14)."""
        return SYSTEM_ACCOUNT


class CreateProofSpaceRequest(_OfSpace, frozen=True, kw_only=True):
    """Leaves proofs to one account, whose administrators may bind them from then on; no proof is in two spaces."""

    account: AccountId


class DeleteProofSpaceRequest(_OfSpace, frozen=True, kw_only=True):
    """Takes proofs back from an account; its bindings of them have to be gone, or go as well by `force`."""

    force: bool = False


class ListProofSpacesRequest(Request, frozen=True, kw_only=True):
    """The proof spaces of the caller's account, or for operators those of every account; in order."""

    every_account: bool = False
    limit: Limit = 100
    next_token: PageToken | None = None

    @property
    def resource_path(self) -> str:
        """All proof spaces."""
        return "proof-space/*"

    @property
    def resource_account(self) -> str | None:
        """Those of every account are the operator's to see."""
        return SYSTEM_ACCOUNT if self.every_account else None


class ProofSpaceDescription(Response, frozen=True, kw_only=True):
    """A proof space and whose it is."""

    space: str
    resource: str
    account: str
    created_ms: Milliseconds


class DeleteProofSpaceResponse(Response, frozen=True, kw_only=True):
    """How many bindings went, a thousand a call at most; until `deleted` is true the space is there, so ask again."""

    space: str
    bindings: int
    deleted: bool


class ListProofSpacesResponse(Response, frozen=True, kw_only=True):
    """A page of proof spaces."""

    proof_spaces: tuple[ProofSpaceDescription, ...]
    next_token: str | None = None
