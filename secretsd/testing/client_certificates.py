"""Certificates of clients, good ones and bad ones: authorities of a test's own, what they sign, what they revoke."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its key, and those between it and its root, the nearest first."""

    certificate: x509.Certificate
    key: Any
    between: tuple[x509.Certificate, ...] = ()

    @property
    def chain(self) -> tuple[bytes, ...]:
        """What a client sends, in DER."""
        return tuple(one.public_bytes(Encoding.DER) for one in (self.certificate, *self.between))

    @property
    def pem(self) -> str:
        """What a client keeps in its file: its certificate, then those between."""
        return "".join(pem_of(one) for one in (self.certificate, *self.between))

    @property
    def key_pem(self) -> str:
        """Its private key."""
        made: bytes = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return made.decode()


class Signer:
    """An authority; `above` is who signed its certificate, None for a root. Moments are relative to `now`."""

    def __init__(
        self,
        name: str = "an authority of clients",
        *,
        above: "Signer | None" = None,
        key: Any = None,
        now: datetime | None = None,
        constraints: x509.NameConstraints | None = None,
        begins: timedelta = -2 * DAY,
        lasts: timedelta = 30 * DAY,
        path_length: int | None = None,
        ca: bool = True,
        signs: bool = True,
    ) -> None:
        self.now: datetime = now or (above.now if above is not None else datetime.now(UTC))
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.above = above
        upper = above or self
        made = _begun(self.name, upper.name, self.key.public_key(), self.now + begins, self.now + lasts)
        made = made.add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
        made = made.add_extension(_usage(signs), critical=True)
        made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
        if above is not None:
            made = made.add_extension(_authority_key(above.key), critical=False)
        if constraints is not None:
            made = made.add_extension(constraints, critical=True)
        self.certificate = made.sign(upper.key, SHA256())

    @property
    def pem(self) -> str:
        """Its certificate."""
        return pem_of(self.certificate)

    @property
    def between(self) -> tuple[x509.Certificate, ...]:
        """Its own certificate and those above it up to the root, which is left out."""
        return () if self.above is None else (self.certificate, *self.above.between)

    def issue(
        self,
        *names: str,
        usages: Sequence[x509.ObjectIdentifier] | None = (CLIENT,),
        begins: timedelta = -DAY,
        lasts: timedelta = 7 * DAY,
        key: Any = None,
        digest: Any = None,
        ca: bool = False,
    ) -> Issued:
        """A certificate of a client whose names are URIs where they hold `://`, else DNS names."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        common = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a client")])
        made = _begun(common, self.name, key.public_key(), self.now + begins, self.now + lasts)
        if names:
            made = made.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        if usages is not None:
            made = made.add_extension(x509.ExtendedKeyUsage(list(usages)), critical=False)
        if ca:
            made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        made = made.add_extension(_authority_key(self.key), critical=False)
        return Issued(made.sign(self.key, digest or SHA256()), key, self.between)

    def revoke(
        self, *certificates: x509.Certificate, begins: timedelta = -DAY, lasts: timedelta | None = DAY, **further: Any
    ) -> str:
        """A list of those certificates, in PEM; `further` extensions are given as name=(extension, critical)."""
        made = x509.CertificateRevocationListBuilder().issuer_name(self.name).last_update(self.now + begins)
        made = made.next_update(self.now + (lasts or DAY))
        made = made.add_extension(_authority_key(self.key), critical=False)
        for extension, critical in further.values():
            made = made.add_extension(extension, critical)
        for certificate in certificates:
            entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number)
            made = made.add_revoked_certificate(entry.revocation_date(self.now + begins).build())
        return made.sign(self.key, SHA256()).public_bytes(Encoding.PEM).decode()


def self_signed(*names: str) -> Issued:
    """A certificate that nobody vouches for."""
    return Signer("nobody").issue(*names)


def pem_of(certificate: x509.Certificate) -> str:
    """A certificate in PEM."""
    return certificate.public_bytes(Encoding.PEM).decode()


def _begun(
    subject: x509.Name, issuer: x509.Name, key: Any, begins: datetime, ends: datetime
) -> x509.CertificateBuilder:
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    return made.serial_number(x509.random_serial_number()).not_valid_before(begins).not_valid_after(ends)


def _usage(signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(not signs, False, False, False, False, signs, signs, False, False)


def _authority_key(key: Any) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _general(name: str) -> x509.GeneralName:
    return x509.UniformResourceIdentifier(name) if "://" in name else x509.DNSName(name)
