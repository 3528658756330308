"""Certificates of clients against those of one authority (RFC 5280): signed, in time, for clients, not revoked.

Paths are built and checked by `cryptography`; lists of revoked certificates, the leaf's key and its usage by us.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from secretsd.domain.proofs import CertificateAuthority

MAX_CHAIN = 10
"""How many certificates a client may send."""
MAX_CHAIN_BYTES = 64 * 1024
MIN_RSA_BITS, MAX_RSA_BITS, MAX_RSA_EXPONENT = 2048, 8192, 2**32
"""A key beyond them takes a hundred times as long to verify by."""
_LIST = re.compile(r"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", re.DOTALL)
CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


class ChainRefused(Exception):
    """A chain proves nothing to an authority, or at all; the reason says why, and quotes no certificate."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ShownChain:
    """What a client sent: its own certificate and those between, in the order in which they came.

    `issuers` are who is said to have signed any of them, as DER: nobody else can vouch for the chain.
    """

    leaf: x509.Certificate
    between: list[x509.Certificate]
    issuers: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Trusted:
    """An authority's record, read: what vouches for chains, and its lists by name and key of who signed them.

    A certificate that was renewed with the key that it had goes on with its list.
    """

    record: CertificateAuthority
    certificates: tuple[x509.Certificate, ...]
    subjects: frozenset[bytes]
    store: Store
    lists: Mapping[tuple[bytes, bytes], x509.CertificateRevocationList]


def read_chain(chain: Sequence[bytes]) -> ShownChain:
    """A chain in DER; ChainRefused where it is too long, or no certificates."""
    if len(chain) > MAX_CHAIN or sum(map(len, chain)) > MAX_CHAIN_BYTES:
        raise ChainRefused(f"it came with over {MAX_CHAIN} certificates or {MAX_CHAIN_BYTES // 1024} KiB of them")
    try:
        leaf, *between = [x509.load_der_x509_certificate(one) for one in chain]
        issuers = {one.issuer.public_bytes() for one in (leaf, *between)}
        _check_keys((leaf, *between))
        authorities = [name_and_key(one) for one in between]
    except ValueError:
        raise ChainRefused("it cannot be read") from None
    if len(set(authorities)) < len(authorities):
        # Every order of them would be a path to try.
        raise ChainRefused("two of those that it came with are of one name and key")
    return ShownChain(leaf, between, frozenset(issuers))


def read_certificates(text: str) -> list[x509.Certificate]:
    """All certificates of a text in PEM, whatever else stands there; ValueError where one is broken, or none there."""
    return x509.load_pem_x509_certificates(text.encode())


def read_lists(text: str) -> list[x509.CertificateRevocationList]:
    """All lists of revoked certificates in PEM, none of an empty text; ValueError likewise."""
    found = [x509.load_pem_x509_crl(block.encode()) for block in _LIST.findall(text)]
    if text and not found:
        raise ValueError("there is no list")
    return found


def pem(things: Iterable[x509.Certificate | x509.CertificateRevocationList]) -> str:
    """What was read, and nothing else."""
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in things)


def trusted(
    record: CertificateAuthority,
    certificates: Sequence[x509.Certificate],
    lists: Sequence[x509.CertificateRevocationList],
) -> Trusted:
    """An authority as it is used."""
    signed = [(found, one) for one in lists if (found := signer(one, certificates)) is not None]
    return Trusted(
        record,
        tuple(certificates),
        frozenset(one.subject.public_bytes() for one in certificates),
        Store(list(certificates)),
        {name_and_key(found): one for found, one in signed},
    )


def signer(one: x509.CertificateRevocationList, certificates: Sequence[x509.Certificate]) -> x509.Certificate | None:
    """Which of the certificates signed the list."""
    for certificate in certificates:
        if certificate.subject == one.issuer and _has_signed(certificate, one):
            return certificate
    return None


def name_and_key(certificate: x509.Certificate) -> tuple[bytes, bytes]:
    """What two certificates of one authority have in common."""
    return certificate.subject.public_bytes(), certificate.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )


def verify(authority: Trusted, chain: ShownChain, now: datetime) -> datetime:
    """Until when the chain is good, if nothing else changes; ChainRefused where the authority does not vouch for it."""
    policy = PolicyBuilder().store(authority.store).time(now)
    policy = policy.extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=_LEAF)
    try:
        path = policy.build_client_verifier().verify(chain.leaf, chain.between).chain
    except VerificationError as error:
        raise ChainRefused(_reason(error)) from None
    until = min(one.not_valid_after_utc for one in path)
    for one in _checked_lists(authority, path, now):
        until = min(until, one)
    return until


def _checked_lists(authority: Trusted, path: Sequence[x509.Certificate], now: datetime) -> list[datetime]:
    """When the lists that clear the path are over. An authority with lists needs one for each that signed in the path.

    A path ends with the first certificate that is the authority's own: that one is trusted as it is, until a list of
    the authority's has it.
    """
    ends: list[datetime] = []
    if not authority.lists:
        return ends
    for certificate, issuer in pairwise(path):
        found = authority.lists.get(name_and_key(issuer))
        if found is None:
            raise ChainRefused("its issuer has no list of revoked certificates, and the authority has lists")
        if found.next_update_utc is None or found.next_update_utc <= now:
            raise ChainRefused("its issuer's list of revoked certificates is over")
        if found.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None:
            raise ChainRefused("it, or one above it, is revoked")
        ends.append(found.next_update_utc)
    if _is_revoked_itself(authority, path[-1]):
        raise ChainRefused("it, or one above it, is revoked")
    return ends


def _is_revoked_itself(authority: Trusted, end: x509.Certificate) -> bool:
    """Whether a certificate of the authority's own, or one of its own above that, is in the list of who signed it."""
    looked_at, left = {end}, [end]
    while left:
        below = left.pop()
        for one in authority.certificates:
            if one.subject != below.issuer or one == below:
                continue
            found = authority.lists.get(name_and_key(one))
            if found is not None and found.get_revoked_certificate_by_serial_number(below.serial_number) is not None:
                return True
            if one not in looked_at:
                looked_at.add(one)
                left.append(one)
    return False


def names(leaf: x509.Certificate) -> tuple[list[str], list[str]]:
    """DNS names and URIs of a certificate; ChainRefused where an extension cannot be read, whichever it is."""
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        dns = found.get_values_for_type(x509.DNSName)
        return dns, found.get_values_for_type(x509.UniformResourceIdentifier)
    except (ValueError, x509.DuplicateExtension, x509.ExtensionNotFound):
        raise ChainRefused("it has extensions that cannot be read") from None


def moment(milliseconds: int) -> datetime:
    """A time of our clock as certificates have theirs."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def is_strong(key: Any) -> bool:
    """Whether a public key is of a kind and size that counts."""
    match key:
        case rsa.RSAPublicKey():
            return MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS and key.public_numbers().e <= MAX_RSA_EXPONENT
        case ec.EllipticCurvePublicKey():
            return isinstance(key.curve, CURVES)
    return isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey)


def _check_keys(certificates: Sequence[x509.Certificate]) -> None:
    """`cryptography` looks at keys too late: at the leaf's never, at others' after it has verified by them."""
    for number, one in enumerate(certificates):
        try:
            strong = is_strong(one.public_key())
        except Exception:  # noqa: BLE001  # whatever it cannot read is no key of ours
            strong = False
        if not strong:
            whose = "a key above its own" if number else "its key"
            raise ChainRefused(f"{whose} is too short, too long, or of a kind that is not accepted")


def _for_clients(_: object, __: x509.Certificate, usage: x509.ExtendedKeyUsage) -> None:
    if ExtendedKeyUsageOID.CLIENT_AUTH not in usage:
        raise ValueError("it is not for clients: its extended key usage lacks clientAuth")


_LEAF = ExtensionPolicy.webpki_defaults_ee().require_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, _for_clients)
"""Without any usage it may be used for everything, so it may be a server's that its owner never meant for this."""


def _has_signed(certificate: x509.Certificate, one: x509.CertificateRevocationList) -> bool:
    try:
        return one.is_signature_valid(certificate.public_key())  # type: ignore[arg-type]  # TypeError is caught below
    except Exception:  # noqa: BLE001  # a key of another kind, or an algorithm that is not supported
        return False


def _reason(error: VerificationError) -> str:
    """In its words, without the certificate that it quotes at the end."""
    said = str(error).removeprefix("validation failed: ").partition(" (encountered")[0]
    if said.endswith("not valid at validation time"):
        return "it, or one above it, is not valid at this time"
    if said.endswith("all candidates exhausted with no interior errors"):
        return "the authority has not signed it, nor what it came with"
    if said.startswith("invalid extension: 2.5.29.37"):
        return "it does not say what it is for: an extended key usage clientAuth is needed"
    said = said.rpartition("ValueError: ")[2].removeprefix("candidates exhausted: ")
    return "".join(character for character in said if character.isprintable())[:200]
