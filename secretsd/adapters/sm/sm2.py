"""SM2 (GB/T 32918): signatures of digests, and encryption of short texts, by GmSSL.

A private key is its 32 bytes, big-endian; a public key a SubjectPublicKeyInfo in DER. Signatures are SEQUENCE {r, s},
ciphertexts SEQUENCE {x, y, C3, C2} (GM/T 0009), both in DER. What strangers sent is read here before GmSSL sees it: a
point that lies on no curve would otherwise tell of the private key.
"""

from secretsd.adapters.sm import curve, der, sm3
from secretsd.adapters.sm.extra import gmssl
from secretsd.adapters.sm.quiet import quiet
from secretsd.domain.errors import Internal, InvalidCiphertext, InvalidRequest, LimitExceeded
from secretsd.domain.sensitive import Plaintext

DIGEST_BYTES = 32
MAX_TEXT_BYTES = 255
_IDENTITY = b"1234567812345678"


def generate() -> tuple[bytes, bytes]:
    """A new private key, and its public key; its randomness is the kernel's."""
    library = gmssl()
    with quiet():
        point, private = library.sm2_key_generate()
    return private, curve.spki(point)


def sign(private: bytes, digest: bytes) -> bytes:
    """The signature of a digest; InvalidRequest for a digest of another length."""
    if len(digest) != DIGEST_BYTES:
        raise InvalidRequest(f"cannot sign: a digest for SM2DSA has {DIGEST_BYTES} bytes")
    library = gmssl()
    try:
        with quiet():
            return bytes(library.sm2_sign_sm3_digest(private, digest))
    except library.GmsslInnerError:
        raise Internal("cannot sign by SM2DSA") from None


def decrypt(private: bytes, ciphertext: bytes) -> bytes:
    """The text; InvalidCiphertext, and no other word, for whatever was not encrypted under the public key."""
    _require_ciphertext(ciphertext)
    library = gmssl()
    try:
        with quiet():
            return bytes(library.sm2_decrypt(private, ciphertext))
    except library.GmsslInnerError:
        raise InvalidCiphertext from None


def public_key_of(private: bytes) -> bytes:
    """The public key of a private one; InvalidCiphertext where it is no private key (1 to n - 2).

    GmSSL shows no multiplication, and one of ours would tell of the key by the time it takes. A signature (r, s) of e
    names the key instead: its public key is (r + s)⁻¹ (R - s G), where R is one of the points with x = r - e.
    """
    if len(private) != curve.BYTES or not 1 <= int.from_bytes(private) <= curve.N - 2:
        raise InvalidCiphertext
    digests = [bytes([number]) * DIGEST_BYTES for number in (1, 2)]
    r, s = _numbers(signature := sign(private, digests[0]))
    second = sign(private, digests[1])
    x = (r - int.from_bytes(digests[0])) % curve.N
    for root in (x, x + curve.N):
        if (found := curve.lift(root)) is None:
            continue
        for point in (found, (found[0], curve.P - found[1])):
            rest = curve.add(point, curve.multiply(curve.N - s, curve.G))
            public = curve.multiply(pow(r + s, -1, curve.N), rest)
            if public is not None:
                key = curve.spki(public[0].to_bytes(curve.BYTES) + public[1].to_bytes(curve.BYTES))
                if verify(key, digests[0], signature) and verify(key, digests[1], second):
                    return key
    raise Internal("cannot find the public key of a private one")


def verify(public_key: bytes, digest: bytes, signature: bytes) -> bool:
    """Whether the signature is the key's own, of that digest; False also for what is no signature at all."""
    point = curve.point_bytes(public_key)
    if len(digest) != DIGEST_BYTES:
        raise InvalidRequest(f"cannot verify: a digest for SM2DSA has {DIGEST_BYTES} bytes")
    try:
        _numbers(signature)
    except ValueError:
        return False
    library = gmssl()
    with quiet():
        return bool(library.sm2_verify_sm3_digest(point, digest, signature))


def encrypt(public_key: bytes, text: bytes) -> bytes:
    """The ciphertext of 1 to 255 bytes; InvalidRequest for none, LimitExceeded past that."""
    point = curve.point_bytes(public_key)
    if not text:
        raise InvalidRequest("cannot encrypt by SM2PKE: there is nothing to encrypt")
    if len(text) > MAX_TEXT_BYTES:
        raise LimitExceeded(f"cannot encrypt more than {MAX_TEXT_BYTES} bytes by SM2PKE")
    library = gmssl()
    with quiet():
        return bytes(library.sm2_encrypt(point, text))


def digest(public_key: bytes, message: bytes, identity: bytes = _IDENTITY) -> bytes:
    """e = SM3(Z ‖ message), which is what is signed; Z binds the signer's identity and key (GB/T 32918.2, 5.5)."""
    point = curve.point_bytes(public_key)
    numbers = b"".join(number.to_bytes(curve.BYTES) for number in (curve.A, curve.B, *curve.G))
    z = sm3.digest((len(identity) * 8).to_bytes(2) + identity + numbers + point)
    return sm3.digest(z + message)


class PublicKeys:
    """Implements ports.keystore.PublicSM2, in the process that calls: no private key is needed."""

    def digest(self, public_key: bytes, message: bytes) -> bytes:
        """See the port."""
        return digest(public_key, message)

    def verify(self, public_key: bytes, digest: bytes, signature: bytes) -> bool:
        """See the port."""
        return verify(public_key, digest, signature)

    def encrypt(self, public_key: bytes, plaintext: Plaintext) -> bytes:
        """See the port."""
        return encrypt(public_key, plaintext.reveal())


def _numbers(signature: bytes) -> tuple[int, int]:
    """r and s; ValueError."""
    whole = der.Reader(signature)
    inner = whole.sequence()
    whole.end()
    r, s = inner.integer(), inner.integer()
    inner.end()
    if not (1 <= r < curve.N and 1 <= s < curve.N):
        raise ValueError("cannot read the signature")
    return r, s


def _require_ciphertext(ciphertext: bytes) -> None:
    try:
        whole = der.Reader(ciphertext)
        inner = whole.sequence()
        whole.end()
        x, y, check, encrypted = inner.integer(), inner.integer(), inner.octets(), inner.octets()
        inner.end()
    except ValueError:
        raise InvalidCiphertext from None
    if not curve.on_curve(x, y) or len(check) != DIGEST_BYTES or not 1 <= len(encrypted) <= MAX_TEXT_BYTES:
        raise InvalidCiphertext
