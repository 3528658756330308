"""Operations on certificate authorities: operators say whose client certificates are good for which account."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from secretsd.api.certificate_authorities import (
    CertificateAuthorityDeletedResponse,
    CertificateAuthorityDescription,
    CreateCertificateAuthorityRequest,
    DeleteCertificateAuthorityRequest,
    DescribeCertificateAuthorityRequest,
    ListCertificateAuthoritiesRequest,
    ListCertificateAuthoritiesResponse,
    RevocationList,
    TrustedCertificate,
    UpdateCertificateAuthorityRequest,
    UpdateCertificateRevocationListRequest,
)
from secretsd.domain.errors import AlreadyExists, Conflict, LimitExceeded, NotFound
from secretsd.domain.names import SYSTEM_ACCOUNT, Resource
from secretsd.domain.proofs import CertificateAuthority
from secretsd.operations import certificate_chains as chains
from secretsd.operations import pages
from secretsd.operations.call import Call
from secretsd.operations.certificate_checks import checked_certificates, checked_lists
from secretsd.operations.registry import operation
from secretsd.ports.storage import Delete

MAX_CERTIFICATE_AUTHORITIES = 1000
MAX_CERTIFICATES_IN_ALL = 1000
"""All of them are read for the handshakes, at each change, while nothing else goes on: so many within 0.3 s."""
_BEGINS = "-----BEGIN CERTIFICATE-----"
"""Each worker holds all of them."""


@operation("CreateCertificateAuthority", "POST /v1/certificate-authorities", audited=("account",))
async def create_certificate_authority(
    call: Call, request: CreateCertificateAuthorityRequest
) -> CertificateAuthorityDescription:
    """Let the client certificates of an authority prove who is calling, for one account."""
    account = await call.parts.rows.account(request.account)
    call.concerned.append(account.id)
    certificates = checked_certificates(request.certificates, _now(call))
    lists = checked_lists(request.crl, certificates, _now(call))
    name = request.certificate_authority
    others = await call.parts.storage.proofs.authorities()
    if any(one.name == name for one in others):
        raise AlreadyExists(f"cannot create certificate authority {name}: it exists already")
    if len(others) >= MAX_CERTIFICATE_AUTHORITIES:
        raise Conflict(f"cannot create the certificate authority: there are {MAX_CERTIFICATE_AUTHORITIES} already")
    _require_untaken(certificates, others)
    made = CertificateAuthority(name, account.id, chains.pem(certificates), chains.pem(lists), call.time_ms)
    _audit(call, certificates, lists)
    call.rest_on(account)
    await call.commit(call.add(made))
    return _described(made)


@operation("DescribeCertificateAuthority", "GET /v1/certificate-authorities/{certificate_authority}")
async def describe_certificate_authority(
    call: Call, request: DescribeCertificateAuthorityRequest
) -> CertificateAuthorityDescription:
    """Tell all about a certificate authority."""
    return _described(await _authority(call, request.certificate_authority))


@operation("ListCertificateAuthorities", "GET /v1/certificate-authorities")
async def list_certificate_authorities(
    call: Call, request: ListCertificateAuthoritiesRequest
) -> ListCertificateAuthoritiesResponse:
    """List the certificate authorities of this daemon."""
    after = pages.after(request.next_token)
    found = [one for one in await call.parts.storage.proofs.authorities() if one.name > after]
    shown, token = pages.page(found[: request.limit + 1], request.limit, lambda one: one.name)
    return ListCertificateAuthoritiesResponse(
        certificate_authorities=tuple(_described(one) for one in shown), next_token=token
    )


@operation("UpdateCertificateAuthority", "PATCH /v1/certificate-authorities/{certificate_authority}")
async def update_certificate_authority(
    call: Call, request: UpdateCertificateAuthorityRequest
) -> CertificateAuthorityDescription:
    """Change the certificates of an authority; at once a client's is good only if a new one vouches for it."""
    before = await _authority(call, request.certificate_authority)
    call.concerned.append(before.account)
    certificates = checked_certificates(request.certificates, _now(call))
    _require_untaken(
        certificates, [one for one in await call.parts.storage.proofs.authorities() if one.name != before.name]
    )
    lists = [one for one in chains.read_lists(before.crl) if chains.signer(one, certificates) is not None]
    if before.crl and not lists:
        raise Conflict(
            "cannot update the certificate authority: it would lose its lists of revoked certificates; "
            "keep a certificate that signed one, or take the lists away first"
        )
    after = replace(before, certificates=chains.pem(certificates), crl=chains.pem(lists))
    _audit(call, certificates, lists)
    await call.commit(call.replace(before, after))
    return _described(after)


@operation(
    "UpdateCertificateRevocationList",
    "PUT /v1/certificate-authorities/{certificate_authority}:certificate-revocation-list",
)
async def update_certificate_revocation_list(
    call: Call, request: UpdateCertificateRevocationListRequest
) -> CertificateAuthorityDescription:
    """Set which certificates of an authority are revoked; open connections notice at their next request."""
    before = await _authority(call, request.certificate_authority)
    call.concerned.append(before.account)
    certificates = chains.read_certificates(before.certificates)
    lists = checked_lists(request.crl, certificates, _now(call))
    known = {_name_and_key(one, certificates): one for one in chains.read_lists(before.crl)}
    for one in lists:
        old = known.get(_name_and_key(one, certificates))
        if old is not None and one.last_update_utc < old.last_update_utc:
            raise Conflict("cannot update the list of revoked certificates: the one that is there is newer")
    after = replace(before, crl=chains.pem(lists))
    _audit(call, certificates, lists)
    await call.commit(call.replace(before, after))
    return _described(after)


@operation("DeleteCertificateAuthority", "DELETE /v1/certificate-authorities/{certificate_authority}")
async def delete_certificate_authority(
    call: Call, request: DeleteCertificateAuthorityRequest
) -> CertificateAuthorityDeletedResponse:
    """Let no certificate of an authority prove anything any more; it stays while its account has bindings of such."""
    authority = await _authority(call, request.certificate_authority)
    call.concerned.append(authority.account)
    begins = f"tls:{authority.name}/"
    bound = await call.parts.storage.proofs.bindings(authority.account, begins, 1)
    if bound and bound[0].proof.startswith(begins):
        raise Conflict(
            f"cannot delete certificate authority {authority.name}: its account has bindings of proofs {begins}…"
        )
    await call.commit(Delete(authority))
    return CertificateAuthorityDeletedResponse(certificate_authority=authority.name)


async def require_own_authority(call: Call, proof: str) -> None:
    """Raise NotFound where a certificate's proof is of no authority of the caller's account.

    Proofs of other kinds pass. The change that follows fails if the authority changes meanwhile.
    """
    if proof.startswith("tls:"):
        name = proof.removeprefix("tls:").partition("/")[0]
        for one in await call.parts.storage.proofs.authorities():
            if one.name == name and one.account == call.account:
                call.rest_on(one)
                return
        raise NotFound(f"cannot bind the proof: the account has no certificate authority {name}")


async def _authority(call: Call, name: str) -> CertificateAuthority:
    for one in await call.parts.storage.proofs.authorities():
        if one.name == name:
            return one
    raise NotFound(f"cannot find certificate authority {name}")


def _require_untaken(certificates: Sequence[x509.Certificate], others: Sequence[CertificateAuthority]) -> None:
    """Two authorities with one key would vouch for the same clients, each for its own account.

    And of two with one name and different keys a handshake would try the first, and send away the other's clients.
    """
    new = {one.subject.public_bytes() for one in certificates}
    for other in others:
        if any(one.subject.public_bytes() in new for one in chains.read_certificates(other.certificates)):
            raise AlreadyExists("cannot use these certificates: another certificate authority has one of that name")
    if len(certificates) + sum(one.certificates.count(_BEGINS) for one in others) > MAX_CERTIFICATES_IN_ALL:
        raise LimitExceeded(f"cannot use these certificates: there are {MAX_CERTIFICATES_IN_ALL} in all at most")


def _name_and_key(
    one: x509.CertificateRevocationList, certificates: Sequence[x509.Certificate]
) -> tuple[bytes, bytes] | None:
    found = chains.signer(one, certificates)
    return None if found is None else chains.name_and_key(found)


def _audit(
    call: Call, certificates: Sequence[x509.Certificate], lists: Sequence[x509.CertificateRevocationList]
) -> None:
    call.fields["certificates"] = tuple(one.fingerprint(SHA256()).hex() for one in certificates)
    if lists:
        call.fields["revocation_lists"] = tuple(one.fingerprint(SHA256()).hex() for one in lists)


def _now(call: Call) -> datetime:
    return chains.moment(call.time_ms)


def _described(authority: CertificateAuthority) -> CertificateAuthorityDescription:
    return CertificateAuthorityDescription(
        certificate_authority=authority.name,
        resource=str(Resource(SYSTEM_ACCOUNT, f"certificate-authority/{authority.name}")),
        account=authority.account,
        created_ms=authority.created_ms,
        certificates=tuple(_trusted(one) for one in chains.read_certificates(authority.certificates)),
        revocation_lists=tuple(_list(one) for one in chains.read_lists(authority.crl)),
    )


def _trusted(one: x509.Certificate) -> TrustedCertificate:
    return TrustedCertificate(
        subject=one.subject.rfc4514_string(),
        sha256=one.fingerprint(SHA256()).hex(),
        expires_ms=int(one.not_valid_after_utc.timestamp() * 1000),
    )


def _list(one: x509.CertificateRevocationList) -> RevocationList:
    ends = one.next_update_utc or one.last_update_utc  # a list without an end is refused when it comes
    return RevocationList(
        issuer=one.issuer.rfc4514_string(),
        revoked=len(one),
        this_update_ms=int(one.last_update_utc.timestamp() * 1000),
        next_update_ms=int(ends.timestamp() * 1000),
    )
