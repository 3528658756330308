"""Proofs of identity that come from outside: whom they lead to, and whose they are to bind.

A proof is text, and exact: `unix:uid/1000`, `systemd:unit/nginx.service`, `tls:<authority>/dns/<name>`,
`tls:<authority>/uri/<uri>`, `jwt:<issuer>/<claim>=<value>,…`. It leads to one principal (a unique key of storage).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from secretsd.domain import proof_spaces


@dataclass(frozen=True, slots=True)
class Binding:
    """Maps one proof to exactly one user, or to a role where `role` is set and `user` is ""."""

    proof: str
    account: str
    user: str
    created_ms: int
    revision: int = 0
    role: str = ""


@dataclass(frozen=True, slots=True)
class ProofSpace:
    """Proofs that an operator leaves to one account to bind (SECURITY 14).

    `space` is a proof, a glob of proofs (`systemd:unit/acme-*.service`), or a range of uids (`unix:uid/2000-2999`).
    """

    space: str
    account: str
    created_ms: int
    revision: int = 0

    def holds(self, proof: str) -> bool:
        """True where the proof lies in the space."""
        return proof_spaces.holds(self.space, proof)


@dataclass(frozen=True, slots=True)
class CertificateAuthority:
    """Who signs the client certificates of an account. `certificates` and `crl` are PEM; "" for no list."""

    name: str
    account: str
    certificates: str
    crl: str
    created_ms: int
    revision: int = 0


@dataclass(frozen=True, slots=True)
class TokenIssuer:
    """Who signs JWTs for an account: `iss` and `aud` must be these, the signature by a key of the JWKS.

    Either `keys` holds the JWKS as JSON, or `keys_url` says where it is. `claims` are those that make up the proof, in
    this order; `required` are claims that must have that value.
    """

    name: str
    account: str
    issuer: str
    audience: str
    keys: str
    keys_url: str
    claims: tuple[str, ...]
    required: Mapping[str, str] = field(default_factory=dict)
    created_ms: int = 0
    revision: int = 0
