"""Requests and responses about certificate authorities, which are the operator's: whose client certificates count."""

from typing import Annotated

from msgspec import Meta

from secretsd.api.fields import Limit, Milliseconds, PageToken, Request, Response, Word
from secretsd.api.targets import AccountId
from secretsd.domain.names import SYSTEM_ACCOUNT

Certificates = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=65_536,
        description="Certificates of the authority in PEM (RFC 7468), one after another: roots, or intermediates that "
        "are to be trusted by themselves.",
    ),
]
RevocationLists = Annotated[
    str,
    Meta(
        max_length=393_216,
        description="Lists of revoked certificates in PEM (RFC 5280, 5), one for each certificate of the authority "
        "that signs any; empty for none.",
    ),
]


class _OfSystem(Request, frozen=True, kw_only=True):
    @property
    def resource_account(self) -> str:
        """Certificate authorities belong to the operator, whoever asks (SECURITY 14)."""
        return SYSTEM_ACCOUNT


class OfCertificateAuthority(_OfSystem, frozen=True, kw_only=True):
    """A request about one certificate authority."""

    certificate_authority: Word

    @property
    def resource_path(self) -> str:
        """The certificate authority."""
        return f"certificate-authority/{self.certificate_authority}"


class CreateCertificateAuthorityRequest(OfCertificateAuthority, frozen=True, kw_only=True):
    """Who signs client certificates for an account.

    A good one proves `tls:<certificate authority>/dns/<name>` and `tls:<certificate authority>/uri/<uri>`, which the
    account binds to users or roles of its own.
    """

    account: AccountId
    certificates: Certificates
    crl: RevocationLists = ""


class DescribeCertificateAuthorityRequest(OfCertificateAuthority, frozen=True, kw_only=True):
    """All about a certificate authority."""


class UpdateCertificateAuthorityRequest(OfCertificateAuthority, frozen=True, kw_only=True):
    """The certificates that count from now on: while one takes the other's place, the old and the new.

    Lists of revoked certificates stay, but for those of a certificate that is gone. The account never changes: what it
    has bound would lead others to its users.
    """

    certificates: Certificates


class UpdateCertificateRevocationListRequest(OfCertificateAuthority, frozen=True, kw_only=True):
    """The lists that take the place of all that were there. None may be older than the one before it."""

    crl: RevocationLists


class DeleteCertificateAuthorityRequest(OfCertificateAuthority, frozen=True, kw_only=True):
    """Takes a certificate authority away, once nothing of its account is bound to what its certificates prove."""


class ListCertificateAuthoritiesRequest(_OfSystem, frozen=True, kw_only=True):
    """Certificate authorities, in order of name."""

    limit: Limit = 100
    next_token: PageToken | None = None

    @property
    def resource_path(self) -> str:
        """All certificate authorities."""
        return "certificate-authority/*"


class TrustedCertificate(Response, frozen=True, kw_only=True):
    """A certificate of an authority: whom it names, SHA-256 of it in hex, how long it is good."""

    subject: str
    sha256: str
    expires_ms: Milliseconds


class RevocationList(Response, frozen=True, kw_only=True):
    """A list of revoked certificates. Once `next_update_ms` is past, nothing that its issuer signed counts."""

    issuer: str
    revoked: int
    this_update_ms: Milliseconds
    next_update_ms: Milliseconds


class CertificateAuthorityDescription(Response, frozen=True, kw_only=True):
    """A certificate authority: what is trusted, and what is known to be revoked."""

    certificate_authority: str
    resource: str
    account: str
    created_ms: Milliseconds
    certificates: tuple[TrustedCertificate, ...]
    revocation_lists: tuple[RevocationList, ...] = ()


class ListCertificateAuthoritiesResponse(Response, frozen=True, kw_only=True):
    """A page of certificate authorities."""

    certificate_authorities: tuple[CertificateAuthorityDescription, ...]
    next_token: str | None = None


class CertificateAuthorityDeletedResponse(Response, frozen=True, kw_only=True):
    """The certificate authority that is gone."""

    certificate_authority: str
