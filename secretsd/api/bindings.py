"""Requests and responses about bindings: which proof of identity leads to whom."""

from typing import Annotated

from msgspec import Meta

from secretsd.api.fields import Limit, PageToken, Request, Response, Word
from secretsd.domain.token_claims import MAX_PROOF_LENGTH, TOKEN_PROOF

Proof = Annotated[
    str,
    Meta(
        pattern=rf"^(?:unix:uid/(?:0|[1-9][0-9]{{0,9}})|{TOKEN_PROOF})$(?![\s\S])",
        max_length=MAX_PROOF_LENGTH,
        description="A proof of identity: unix:uid/<n>, the uid of the process at the other end of the Unix socket; or "
        "jwt:<token issuer>/<claim>=<value>,…, what a JWT says, its values percent-encoded.",
    ),
]


class BindingRequest(Request, frozen=True, kw_only=True):
    """A request about a proof; proofs belong to the operator, so the resource is the system account's."""

    proof: Proof

    @property
    def resource_path(self) -> str:
        """The proof."""
        return f"proof/{self.proof}"

    @property
    def resource_account(self) -> str | None:
        """Proof spaces are the operator's (SECURITY 14)."""
        return "system"


class CreateBindingRequest(BindingRequest, frozen=True, kw_only=True):
    """Maps a proof to a user of the caller's account; a proof leads to one user only."""

    user: Word


class DeleteBindingRequest(BindingRequest, frozen=True, kw_only=True):
    """Ends what a proof leads to."""


class BindingDescription(Response, frozen=True, kw_only=True):
    """A proof and whom it leads to."""

    proof: str
    user: str
    created_ms: int


class ListBindingsRequest(Request, frozen=True, kw_only=True):
    """Bindings to users of the caller's account, in order of proof."""

    limit: Limit = 100
    next_token: PageToken | None = None

    @property
    def resource_path(self) -> str:
        """All bindings of the account."""
        return "binding/*"


class ListBindingsResponse(Response, frozen=True, kw_only=True):
    """A page of bindings."""

    bindings: tuple[BindingDescription, ...]
    next_token: str | None = None
