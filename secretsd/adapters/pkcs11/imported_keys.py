"""Material that is taken in, and what it must prove before it becomes a CMK: kind, length, strength, that it works."""

import hashlib
import hmac
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from asn1crypto.core import OctetString
from pkcs11 import Attribute, Mechanism, MechanismFlag, ObjectClass
from pkcs11.exceptions import KeySizeRange, PKCS11Error

from secretsd.adapters.pkcs11 import asymmetric, attributes, fingerprints, importing, key_kinds, rsa_sample
from secretsd.adapters.pkcs11.faults import ModuleRefused
from secretsd.adapters.pkcs11.key_kinds import KeyKind
from secretsd.adapters.pkcs11.loaded_keys import LoadedKey
from secretsd.adapters.pkcs11.point_recovery import CURVES, Point, recovered
from secretsd.adapters.pkcs11.token_session import Root, TokenSession
from secretsd.domain.algorithms import SigningAlgorithm, hash_of, signing_algorithms
from secretsd.domain.errors import InvalidCiphertext, Unsupported
from secretsd.domain.key_import import WrappingAlgorithm
from secretsd.domain.key_specs import KeyFamily, KeySpec

A = Attribute
# FIPS 186-5, A.1.1: odd, and between 2^16 and 2^256.
_LEAST_EXPONENT, _MOST_EXPONENT = 2**16 + 1, 2**256 - 1
_SMALL_PRIMES = math.prod(n for n in range(3, 1000, 2) if all(n % d for d in range(3, math.isqrt(n) + 1, 2)))
_FERMAT_STEPS = 100
_TEXTS = tuple(b"secretsd: proof %d of an imported key" % number for number in (1, 2, 3))


class Unfit(InvalidCiphertext):
    """The material was opened, and is not what it should be; the message says how, and nothing of its value."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"cannot import the material: {reason}")


def take_in(
    session: TokenSession,
    root: Root,
    used: Callable[[], LoadedKey],
    kind: KeyKind,
    algorithm: WrappingAlgorithm,
    material: bytes,
) -> tuple[bytes, bytes, bytes]:
    """What `proved` tells of material that comes wrapped under the pair that `used` hands out, each use counted.

    Twice at most, as every use of something that a caller made: modules say the same of material that is wrong and of
    a token that is broken. InvalidCiphertext only after the pair has given its known answer, or a key that is known to
    be right has gone the same way; anything else is the token's fault, and a PKCS11Error.
    """
    for _ in range(2):
        wrapping = used()
        try:
            imported = importing.unwrap(session, wrapping.object, kind, algorithm, material)
        except PKCS11Error:
            wrapping.prove()
            continue
        with importing.gone_afterwards(imported):
            try:
                return proved(session, root, kind, imported)
            except PKCS11Error:
                _prove_by_a_good_key(session, root, kind)
    raise InvalidCiphertext("cannot open the material: it is not wrapped for this import, or no such key")


def _prove_by_a_good_key(session: TokenSession, root: Root, kind: KeyKind) -> None:
    """PKCS11Error unless a key of the module's own, or a published one of RSA, passes where the material did not."""
    if kind.family is KeyFamily.RSA:
        kind = replace(kind, spec=KeySpec.RSA_2048, bits=rsa_sample.BITS)
        good = rsa_sample.enter(session.owner, kind, session.protection.made)
    else:
        good, _ = session.make(kind)
    with importing.gone_afterwards(good):
        proved(session, root, kind, good)


def proved(session: TokenSession, root: Root, kind: KeyKind, imported: Any) -> tuple[bytes, bytes, bytes]:
    """The blob, the public key (b"" for secret keys) and the fingerprint's answer of material that was imported.

    Raises Unfit; PKCS11Error where the token fails or the material does; Unsupported where the module does not guard
    what is imported. What is proved is the key as it comes out of its blob, and so as it will be used.
    """
    try:
        made = session.protection.made
        attributes.require_honest_cmk(imported, kind.uses, kind.object_class, kind.key_type, template=made)
    except ModuleRefused:
        raise Unsupported("cannot import the material: this HSM does not guard what is imported") from None
    secret = kind.object_class is ObjectClass.SECRET_KEY
    if not secret:
        require_numbers(kind, imported)
    blob = session.wrap(root, imported)
    before = _require_length(blob, kind, imported) if secret else b""
    key = session.unwrap(root, kind, blob)
    with importing.gone_afterwards(key):
        public_key = _public_key(session.owner, kind, key)
        answer = fingerprints.answer(kind, key, public_key)
        if secret and not hmac.compare_digest(before, answer):
            raise Unfit(f"it is no key of {kind.bits} bits")
        if secret and answer == fingerprints.answer_of_zeros(session.owner, kind):
            raise Unfit("it is nothing but zeros")
    return blob, public_key, answer


def _require_length(blob: bytes, kind: KeyKind, imported: Any) -> bytes:
    """The fingerprint's answer of a secret key; Unfit unless it is as long as its spec, PKCS11Error where it is worse.

    RFC 5649 fills up what is no multiple of 8 bytes, and modules fill up the key with it (SoftHSM 2.6.1). So its use
    as it came in has to tell: by AES no module uses a key of another length, by HMAC some tell the length of a key,
    and SoftHSM takes none that is shorter than the hash. An HMAC key and the same with zeros behind it are one key.
    """
    if not kind.fits(blob):
        raise Unfit(f"it is no key of {kind.bits} bits")
    try:
        answer = fingerprints.answer(kind, imported, b"")
    except KeySizeRange:
        raise Unfit(f"it is no key of {kind.bits} bits") from None
    with suppress(PKCS11Error, KeyError):
        if imported[A.VALUE_LEN] not in (None, 0, kind.bits // 8):
            raise Unfit(f"it is no key of {kind.bits} bits")
    return answer


def require_numbers(kind: KeyKind, key: Any) -> None:
    """Unfit unless the numbers of a private key that are public are those of its spec, and none that are weak."""
    if kind.family is KeyFamily.ECC:
        if bytes(key[A.EC_PARAMS]) != key_kinds.curve_of(kind):
            raise Unfit(f"it is no key on the curve of {kind.spec.value}")
        return
    modulus, exponent = int.from_bytes(key[A.MODULUS]), int.from_bytes(key[A.PUBLIC_EXPONENT])
    if modulus.bit_length() != kind.bits:
        raise Unfit(f"its modulus has not {kind.bits} bits")
    if exponent % 2 == 0 or not _LEAST_EXPONENT <= exponent <= _MOST_EXPONENT:
        raise Unfit("its public exponent is not odd and between 2^16 and 2^256")
    if modulus % 2 == 0 or math.gcd(modulus, _SMALL_PRIMES) != 1 or _factors_are_close(modulus):
        raise Unfit("its modulus can be factored")


def _factors_are_close(modulus: int) -> bool:
    """Fermat's way finds two factors at once whose difference is small."""
    a = math.isqrt(modulus - 1) + 1
    for _ in range(_FERMAT_STEPS):
        square = a * a - modulus
        if math.isqrt(square) ** 2 == square:
            return True
        a += 1
    return False


def _public_key(session: Any, kind: KeyKind, key: Any) -> bytes:
    """The public key, after private and public half have been tried against each other; b"" for secret keys."""
    match kind.family:
        case KeyFamily.RSA:
            modulus, exponent = bytes(key[A.MODULUS]), bytes(key[A.PUBLIC_EXPONENT])
            _prove_rsa(session, kind, key, modulus, exponent)
            return key_kinds.rsa_public_key_info(modulus, exponent)
        case KeyFamily.ECC:
            return _recovered_key(session, kind, key)
        case _:
            return b""


def _prove_rsa(session: Any, kind: KeyKind, key: Any, modulus: bytes, exponent: bytes) -> None:
    """A ciphertext of the public half opens, or a signature is right by plain arithmetic (RFC 8017, 8.2.2)."""
    if MechanismFlag.DECRYPT in kind.uses:
        answers = asymmetric.known_answer(session, key, key_kinds.rsa_public_key_info(modulus, exponent))
        if answers is None or not answers():
            raise Unfit("its private half does not go with its public one")
        return
    algorithm = SigningAlgorithm.RSASSA_PKCS1_V1_5_SHA_256
    digest = hashlib.sha256(_TEXTS[0]).digest()
    signature = asymmetric.sign(key, algorithm, digest)
    opened = pow(int.from_bytes(signature), int.from_bytes(exponent), int.from_bytes(modulus))
    if not opened.to_bytes(kind.bits // 8).endswith(b"\xff\x00" + asymmetric.DIGEST_INFO[len(digest)] + digest):
        raise Unfit("its private half does not go with its public one")


def _recovered_key(session: Any, kind: KeyKind, key: Any) -> bytes:
    """Signatures of two digests tell the public point, and the module finds a third one right under it."""
    hashed = hash_of(signing_algorithms(kind.spec)[0])
    first, second, third = (hashlib.new(hashed, text).digest() for text in _TEXTS)
    made = {digest: bytes(key.sign(digest, mechanism=Mechanism.ECDSA)) for digest in (first, second)}
    points = recovered(CURVES[kind.spec], made)
    if len(points) != 1:
        raise Unfit("its signatures are not those of one key")
    public = _public_object(session, kind, points.pop())
    with importing.gone_afterwards(public):
        if not public.verify(third, key.sign(third, mechanism=Mechanism.ECDSA), mechanism=Mechanism.ECDSA):
            raise Unfit("its private half does not go with its public one")
        return key_kinds.public_key_info(kind, public)


def _public_object(session: Any, kind: KeyKind, point: Point) -> Any:
    size = (kind.bits + 7) // 8
    encoded = b"\x04" + point[0].to_bytes(size) + point[1].to_bytes(size)
    return session.create_object(
        {
            A.CLASS: ObjectClass.PUBLIC_KEY,
            A.KEY_TYPE: kind.key_type,
            A.TOKEN: False,
            A.PRIVATE: False,
            A.VERIFY: True,
            A.EC_PARAMS: key_kinds.curve_of(kind),
            A.EC_POINT: OctetString(encoded).dump(),
        }
    )
