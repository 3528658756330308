"""What each spec is in PKCS#11: class, key type, the uses that its usage allows, how it is made and recognised."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters

from secretsd.adapters.pkcs11 import attributes
from secretsd.domain.envelope import SUITE_AES_256_CBC_HMAC, SUITE_NONE
from secretsd.domain.errors import Unsupported
from secretsd.domain.key_specs import SPECS, KeyFamily, KeySpec, KeyUsage
from secretsd.domain.keys import KeyMetadata, WrappedKey

A = Attribute
_USES: dict[tuple[KeyFamily, KeyUsage], tuple[MechanismFlag, MechanismFlag]] = {
    (KeyFamily.AES, KeyUsage.ENCRYPT_DECRYPT): (attributes.CRYPTING, MechanismFlag(0)),
    (KeyFamily.HMAC, KeyUsage.GENERATE_VERIFY_MAC): (attributes.SIGNING, MechanismFlag(0)),
    (KeyFamily.RSA, KeyUsage.ENCRYPT_DECRYPT): (MechanismFlag.DECRYPT, MechanismFlag.ENCRYPT),
    (KeyFamily.RSA, KeyUsage.SIGN_VERIFY): (MechanismFlag.SIGN, MechanismFlag.VERIFY),
    (KeyFamily.ECC, KeyUsage.SIGN_VERIFY): (MechanismFlag.SIGN, MechanismFlag.VERIFY),
    (KeyFamily.EDWARDS, KeyUsage.SIGN_VERIFY): (MechanismFlag.SIGN, MechanismFlag.VERIFY),
}
_KEY_TYPES = {
    KeyFamily.AES: KeyType.AES,
    KeyFamily.HMAC: KeyType.GENERIC_SECRET,
    KeyFamily.RSA: KeyType.RSA,
    KeyFamily.ECC: KeyType.EC,
    KeyFamily.EDWARDS: KeyType.EC_EDWARDS,
}
_CURVES = {
    KeySpec.ECC_NIST_P256: "secp256r1",
    KeySpec.ECC_NIST_P384: "secp384r1",
    KeySpec.ECC_NIST_P521: "secp521r1",
    KeySpec.ECC_SECG_P256K1: "secp256k1",
}
# The curve's name as a PrintableString (PKCS#11 3.0, 2.3.10), and what stands before the 32 bytes of a public key in
# its SubjectPublicKeyInfo (RFC 8410).
_EDWARDS25519 = b"\x13\x0cedwards25519"
_ED25519_SPKI = bytes.fromhex("302a300506032b6570032100")
RESIDENT = b"resident"
"""How the blob of a key begins whose material stays on the token, because no module can wrap it; then its CKA_ID."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The two objects of a key of suite 2."""

    cipher: Any
    mac: Any

    def destroy(self) -> None:
        """Remove both; PKCS11Error."""
        self.cipher.destroy()
        self.mac.destroy()


@dataclass(frozen=True, slots=True)
class KeyKind:
    """One spec and usage. `uses` are those of the secret or private key, `public_uses` those of the public one.

    A `paired` key is two objects: beside the one of the spec a MAC key, `partner`.
    """

    spec: KeySpec
    family: KeyFamily
    bits: int
    uses: MechanismFlag
    public_uses: MechanismFlag
    paired: bool = False

    @property
    def partner(self) -> "KeyKind":
        """The kind of a paired key's MAC key."""
        return kind_for(KeySpec.HMAC_256, KeyUsage.GENERATE_VERIFY_MAC)

    @property
    def key_type(self) -> KeyType:
        """CKA_KEY_TYPE."""
        return _KEY_TYPES[self.family]

    @property
    def object_class(self) -> ObjectClass:
        """CKA_CLASS."""
        return ObjectClass.PRIVATE_KEY if SPECS[self.spec].asymmetric else ObjectClass.SECRET_KEY

    @property
    def resident(self) -> bool:
        """Whether the material stays on the token."""
        return self.family is KeyFamily.EDWARDS

    @property
    def wrapped_bytes(self) -> int:
        """How long a secret key of this kind is when it is wrapped, without its partner."""
        return self.bits // 8 + 8

    def fits(self, blob: bytes) -> bool:
        """Whether a wrapped blob can be such a key: RFC 5649 tells no type, but it tells the length of a secret key."""
        if self.resident:
            return blob.startswith(RESIDENT) and len(blob) == len(RESIDENT) + 16
        if self.object_class is ObjectClass.SECRET_KEY:
            return len(blob) == self.wrapped_bytes + (self.partner.wrapped_bytes if self.paired else 0)
        return len(blob) % 8 == 0 and 64 <= len(blob) <= 4096


def kind_of(key: WrappedKey | KeyMetadata) -> KeyKind:
    """The kind of a key, by its row as its suite wants it; Unsupported where no module has it."""
    if key.version == 0:
        return import_kind(key.spec)
    return kind_for(key.spec, key.usage, key.suite if isinstance(key, WrappedKey) else SUITE_NONE)


def kind_for(spec: KeySpec, usage: KeyUsage, suite: int = SUITE_NONE) -> KeyKind:
    """The kind of a spec for a usage in a suite; Unsupported where no module has it."""
    rules = SPECS[spec]
    uses = _USES.get((rules.family, usage))
    if uses is None:
        raise Unsupported(f"cannot make a key of spec {spec.value} for {usage.value}: this HSM offers no such key")
    return KeyKind(spec, rules.family, rules.bits, *uses, paired=suite == SUITE_AES_256_CBC_HMAC)


def import_kind(spec: KeySpec) -> KeyKind:
    """The kind of an import's key pair, whose version is 0; Unsupported for what is no RSA key."""
    rules = SPECS[spec]
    if rules.family is not KeyFamily.RSA:
        raise Unsupported(f"cannot import under a key of spec {spec.value}: this HSM offers no such import")
    return KeyKind(spec, rules.family, rules.bits, MechanismFlag.UNWRAP, MechanismFlag(0))


def generate(
    session: Any,
    kind: KeyKind,
    resident: Mapping[Attribute, Any] | None = None,
    template: Mapping[Attribute, Any] = attributes.CMK,
) -> tuple[Any, bytes]:
    """A new session object and its public key as SubjectPublicKeyInfo (b"" for secret keys); PKCS11Error.

    Of a paired kind it is the cipher key alone.
    `resident` are the further attributes of a key that stays on the token, which the session must be able to write;
    `template` are those of any other secret or private key.
    """
    private: dict[Attribute, Any] = dict(template) if resident is None else {**attributes.RESIDENT, **resident}
    pair = {
        "capabilities": kind.uses | kind.public_uses,
        "private_template": private,
        "public_template": {A.PRIVATE: False, A.TOKEN: False},
    }
    match kind.family:
        case KeyFamily.AES | KeyFamily.HMAC:
            made = session.generate_key(kind.key_type, kind.bits, capabilities=kind.uses, template=private)
            return made, b""
        case KeyFamily.RSA:
            public, key = session.generate_keypair(KeyType.RSA, kind.bits, **pair)
        case KeyFamily.ECC:
            public, key = _domain(session, KeyType.EC, curve_of(kind)).generate_keypair(**pair)
        case _:
            domain = _domain(session, KeyType.EC_EDWARDS, _EDWARDS25519)
            public, key = domain.generate_keypair(mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN, **pair)
    described = public_key_info(kind, public)
    public.destroy()
    return key, described


def public_key_info(kind: KeyKind, public: Any) -> bytes:
    """The SubjectPublicKeyInfo, in DER, of a public key object."""
    match kind.family:
        case KeyFamily.RSA:
            return rsa_public_key_info(public[A.MODULUS], public[A.PUBLIC_EXPONENT])
        case KeyFamily.ECC:
            return bytes(encode_ec_public_key(public))
        case _:
            return _ED25519_SPKI + bytes(public[A.EC_POINT])[-32:]


def rsa_public_key_info(modulus: bytes, exponent: bytes) -> bytes:
    """The SubjectPublicKeyInfo, in DER, of an RSA key by its numbers, big-endian."""
    from asn1crypto.keys import PublicKeyInfo, RSAPublicKey  # slow to import, and not always needed

    numbers = {"modulus": int.from_bytes(modulus), "public_exponent": int.from_bytes(exponent)}
    return bytes(PublicKeyInfo.wrap(RSAPublicKey(numbers), "rsa").dump())


def rsa_numbers(public_key: bytes) -> tuple[bytes, bytes]:
    """Modulus and exponent, big-endian, out of a SubjectPublicKeyInfo."""
    from asn1crypto.keys import PublicKeyInfo  # as above

    key = PublicKeyInfo.load(public_key)["public_key"].parsed
    return _big_endian(int(key["modulus"].native)), _big_endian(int(key["public_exponent"].native))


def resident_blob(identifier: uuid.UUID) -> bytes:
    """What stands in the row of a key that stays on the token."""
    return RESIDENT + identifier.bytes


def curve_of(kind: KeyKind) -> bytes:
    """CKA_EC_PARAMS of an EC key: the curve's object identifier in DER."""
    return bytes(encode_named_curve_parameters(_CURVES[kind.spec]))


def _domain(session: Any, kind: KeyType, curve: bytes) -> Any:
    return session.create_domain_parameters(kind, {A.EC_PARAMS: curve}, local=True)


def _big_endian(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
