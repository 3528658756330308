"""The public point behind signatures that `cryptography` made."""

import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from secretsd.adapters.pkcs11.point_recovery import CURVES, recovered
from secretsd.domain.key_specs import KeySpec

THEIRS: dict[KeySpec, tuple[ec.EllipticCurve, hashes.HashAlgorithm]] = {
    KeySpec.ECC_NIST_P256: (ec.SECP256R1(), hashes.SHA256()),
    KeySpec.ECC_NIST_P384: (ec.SECP384R1(), hashes.SHA384()),
    KeySpec.ECC_NIST_P521: (ec.SECP521R1(), hashes.SHA512()),
    KeySpec.ECC_SECG_P256K1: (ec.SECP256K1(), hashes.SHA256()),
}


def point_of(key: ec.EllipticCurvePrivateKey) -> tuple[int, int]:
    numbers = key.public_key().public_numbers()
    return numbers.x, numbers.y


def signed(key: ec.EllipticCurvePrivateKey, digest: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
    r, s = utils.decode_dss_signature(key.sign(digest, ec.ECDSA(utils.Prehashed(algorithm))))
    size = (key.curve.key_size + 7) // 8
    return r.to_bytes(size) + s.to_bytes(size)


@pytest.mark.parametrize("spec", CURVES)
def test_a_base_point_has_the_order_of_its_curve(spec: KeySpec) -> None:
    curve = CURVES[spec]
    assert curve.has(curve.g)
    before = curve.times(curve.n - 1, curve.g)
    assert before == curve.minus(curve.g)
    assert curve.plus(before, curve.g) is None
    assert curve.p % 4 == 3


@pytest.mark.parametrize("spec", CURVES)
@pytest.mark.parametrize("scalar", [1, 2, 3, 0xFFFFFFFF, 2**255 - 19])
def test_multiples_of_the_base_point_are_those_of_another_library(spec: KeySpec, scalar: int) -> None:
    curve, _ = THEIRS[spec]
    assert CURVES[spec].times(scalar, CURVES[spec].g) == point_of(ec.derive_private_key(scalar, curve))


@pytest.mark.parametrize("spec", CURVES)
def test_two_signatures_tell_the_point(spec: KeySpec) -> None:
    curve, algorithm = THEIRS[spec]
    for scalar in (None, 1, 2, CURVES[spec].n - 1):
        key = ec.generate_private_key(curve) if scalar is None else ec.derive_private_key(scalar, curve)
        digests = [hashlib.new(algorithm.name, text).digest() for text in (b"one", b"two")]
        made = {digest: signed(key, digest, algorithm) for digest in digests}
        assert recovered(CURVES[spec], made) == {point_of(key)}


@pytest.mark.parametrize("spec", CURVES)
def test_signatures_of_two_keys_tell_nothing(spec: KeySpec) -> None:
    curve, algorithm = THEIRS[spec]
    digests = [hashlib.new(algorithm.name, text).digest() for text in (b"one", b"two")]
    made = {digest: signed(ec.generate_private_key(curve), digest, algorithm) for digest in digests}
    assert recovered(CURVES[spec], made) == set()
    assert recovered(CURVES[spec], {}) == set()


def test_what_is_no_signature_tells_nothing() -> None:
    curve = CURVES[KeySpec.ECC_NIST_P256]
    for signature in (bytes(64), b"\xff" * 64, bytes(63) + b"\1", curve.g[0].to_bytes(32) + bytes(32)):
        assert recovered(curve, {bytes(32): signature}) == set()
