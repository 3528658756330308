"""Requests and responses about bindings: which proof of identity leads to whom."""

from typing import Annotated

from msgspec import Meta

from secretsd.api.fields import Limit, PageToken, Request, Response, Word
from secretsd.domain.certificate_names import CERTIFICATE_PROOF
from secretsd.domain.proof_spaces import UID_PROOF, UNIT_PROOF
from secretsd.domain.token_claims import MAX_PROOF_LENGTH, TOKEN_PROOF

Proof = Annotated[
    str,
    Meta(
        pattern=rf"^(?:{UID_PROOF}|{UNIT_PROOF}|{TOKEN_PROOF}|{CERTIFICATE_PROOF})$(?![\s\S])",
        max_length=MAX_PROOF_LENGTH,
        description="A proof of identity: unix:uid/<n>, the uid of the process at the other end of the Unix socket; or "
        "systemd:unit/<name>.service, the unit that it runs in; or "
        "jwt:<token issuer>/<claim>=<value>,…, what a JWT says, its values percent-encoded; or "
        "tls:<certificate authority>/dns/<name> or …/uri/<uri>, a name in a client's TLS certificate.",
    ),
]


class BindingRequest(Request, frozen=True, kw_only=True):
    """A request about a binding of the caller's account.

    Proofs belong to the operator (SECURITY 14): for what lies in no proof space of the account, the caller needs the
    same permission also on `proof/<proof>` in account `system`; and with that he ends bindings of any account.
    """

    proof: Proof

    @property
    def resource_path(self) -> str:
        """The binding, by its proof."""
        return f"binding/{self.proof}"


class CreateBindingRequest(BindingRequest, frozen=True, kw_only=True):
    """Maps a proof to a user or a role of the caller's account, of which one is given; it leads to that one only."""

    user: Word | None = None
    role: Word | None = None


class DeleteBindingRequest(BindingRequest, frozen=True, kw_only=True):
    """Ends what a proof leads to."""


class BindingDescription(Response, frozen=True, kw_only=True):
    """A proof, and the user or role it leads to."""

    proof: str
    created_ms: int
    user: str | None = None
    role: str | None = None


class ListBindingsRequest(Request, frozen=True, kw_only=True):
    """Bindings to users and roles of the caller's account, in order of proof."""

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
