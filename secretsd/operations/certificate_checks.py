"""What an operator gives as an authority's certificates and lists: what would never work, or do harm, is refused."""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.hashes import MD5, SHA1

from secretsd.domain.errors import InvalidRequest
from secretsd.operations import certificate_chains as chains

MAX_CERTIFICATES = 20
_NOT_READ = (x509.IssuingDistributionPoint, x509.DeltaCRLIndicator)
"""Extensions by which a list speaks of some certificates only: for the others it would say nothing (RFC 5280, 5.2)."""


def checked_certificates(text: str, now: datetime) -> list[x509.Certificate]:
    """The certificates of an authority; InvalidRequest for what is none, or could not vouch for anybody."""
    if "PRIVATE KEY" in text:
        raise InvalidRequest("cannot use certificates: there is a private key among them; it has to be changed now")
    try:
        found = chains.read_certificates(text)
    except ValueError:
        raise InvalidRequest("cannot use certificates: they are not in PEM") from None
    if len(found) > MAX_CERTIFICATES:
        raise InvalidRequest(f"cannot use certificates: there are over {MAX_CERTIFICATES}")
    if len(set(found)) != len(found):
        raise InvalidRequest("cannot use certificates: one of them is there twice")
    for number, one in enumerate(found, 1):
        if (problem := _problem(one, now)) is not None:
            raise InvalidRequest(f"cannot use certificates: number {number} {problem}")
    return found


def checked_lists(
    text: str, certificates: Sequence[x509.Certificate], now: datetime
) -> list[x509.CertificateRevocationList]:
    """The lists of an authority with those certificates; InvalidRequest for what is none, is over, or not theirs."""
    try:
        found = chains.read_lists(text.strip())
    except ValueError:
        raise InvalidRequest("cannot use crl: it is not in PEM") from None
    signers = set()
    for number, one in enumerate(found, 1):
        signer = chains.signer(one, certificates)
        if signer is None:
            raise InvalidRequest(f"cannot use crl: list {number} is not signed by a certificate of the authority")
        if not signer.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign:
            raise InvalidRequest(f"cannot use crl: who signed list {number} signs none, its keyUsage says so")
        if (key := chains.name_and_key(signer)) in signers:
            raise InvalidRequest(f"cannot use crl: list {number} is the second of its issuer")
        signers.add(key)
        if (problem := _problem_of_list(one, now)) is not None:
            raise InvalidRequest(f"cannot use crl: list {number} {problem}")
    return found


def _problem(one: x509.Certificate, now: datetime) -> str | None:
    try:
        one.subject.public_bytes()
        one.issuer.public_bytes()
    except ValueError:
        return "has a name that cannot be read"
    try:
        constraints = one.extensions.get_extension_for_class(x509.BasicConstraints).value
        authority = constraints.ca
        usage = one.extensions.get_extension_for_class(x509.KeyUsage).value
        signs = usage.key_cert_sign
    except x509.ExtensionNotFound as error:
        return f"lacks the extension {error.oid._name}"
    except ValueError:
        return "has extensions that cannot be read"
    if not authority:
        return "is no authority's: its basicConstraints say so"
    if not signs:
        return "signs no certificates: its keyUsage says so"
    if not _has_strong_key(one):
        return "has a key that is too short, or of a kind that is not accepted"
    if one.not_valid_after_utc <= now:
        return "is over"
    return None


def _has_strong_key(one: x509.Certificate) -> bool:
    try:
        return chains.is_strong(one.public_key())
    except Exception:  # noqa: BLE001  # whatever it cannot read is no key of ours
        return False


def _problem_of_list(one: x509.CertificateRevocationList, now: datetime) -> str | None:
    if isinstance(one.signature_hash_algorithm, MD5 | SHA1):
        return "is signed by a digest that is not accepted"
    try:
        if any(isinstance(extension.value, _NOT_READ) for extension in one.extensions):
            return "speaks of some certificates only; a complete list is needed"
        if any(extension.critical for extension in one.extensions):
            return "has a critical extension that is not known here"
    except ValueError:
        return "has extensions that cannot be read"
    if one.next_update_utc is None:
        return "does not say when it is over"
    if one.next_update_utc <= now:
        return "is over"
    if one.last_update_utc > now:
        return "is not valid yet"
    return None
