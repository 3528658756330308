"""SM2 private keys as PKCS#8 in DER (RFC 5958, RFC 5915, GB/T 35276): as they are imported."""

from secretsd.adapters.sm import curve, der, sm2
from secretsd.domain.errors import InvalidCiphertext

# The AlgorithmIdentifier: id-ecPublicKey on the SM2 curve, 1.2.156.10197.1.301. And the curve alone, as parameters.
_ALGORITHM = bytes.fromhex("06072a8648ce3d020106082a811ccf5501822d")
_CURVE = bytes.fromhex("06082a811ccf5501822d")
_PARAMETERS, _PUBLIC, _ATTRIBUTES, _BIT_STRING = 0xA0, 0xA1, 0xA0, 0x03


def read(document: bytes) -> tuple[bytes, bytes]:
    """The private number in 32 bytes and the public key; InvalidCiphertext where it is no such key.

    A public key inside must be the private one's own.
    """
    try:
        private, point = _private(document)
    except ValueError:
        raise InvalidCiphertext from None
    public_key = sm2.public_key_of(private)
    if point is not None and curve.spki(point) != public_key:
        raise InvalidCiphertext
    return private, public_key


def _private(document: bytes) -> tuple[bytes, bytes | None]:
    whole = der.Reader(document)
    info = whole.sequence()
    whole.end()
    if info.integer() != 0 or info.value(der.SEQUENCE) != _ALGORITHM:
        raise ValueError("cannot read the key: it is none of SM2")
    key = der.Reader(info.octets())
    if info.peek() == _ATTRIBUTES:
        info.value(_ATTRIBUTES)
    info.end()
    inner = key.sequence()
    key.end()
    if inner.integer() != 1:
        raise ValueError("cannot read the key: another version")
    private, point = inner.octets(), None
    if inner.peek() == _PARAMETERS and inner.value(_PARAMETERS) != _CURVE:
        raise ValueError("cannot read the key: another curve")
    if inner.peek() == _PUBLIC:
        wrapped = der.Reader(inner.value(_PUBLIC))
        bits = wrapped.value(_BIT_STRING)
        wrapped.end()
        if bits[:2] != b"\x00\x04":
            raise ValueError("cannot read the public key")
        point = bits[2:]
    inner.end()
    return private, point
