"""The shapes in which key material can stand in memory or in a file: what a search for it has to know.

Libraries keep a key as it came, turned word by word, as numbers of either byte order, or mixed with the pads of HMAC;
Python keeps a number in digits of 30 bits. Long material is looked for in slices, because a remainder of it, on a page
that was partly written over, is a find as well.
"""

import struct
from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from secretsd.testing.canaries import forms
from secretsd.testing.memory_scan import Needle

SLICE = 32
"""Bytes of a slice; chance makes none of them, nor half of one."""
_DIGIT_BITS = 30
_INNER_PAD, _OUTER_PAD = 0x36, 0x5C  # RFC 2104


def secret(name: str, key: bytes) -> Iterator[Needle]:
    """A symmetric key, also as HMAC prepares it, and in the forms of text."""
    yield Needle(f"{name}, words turned", b"".join(key[at : at + 4][::-1] for at in range(0, len(key), 4)))
    yield Needle(f"{name}, turned", key[::-1])
    for pad, called in ((_INNER_PAD, "inner"), (_OUTER_PAD, "outer")):
        yield Needle(f"{name}, under HMAC's {called} pad", bytes(byte ^ pad for byte in key))
    yield from _text(name, key)


def number(name: str, value: int, size: int, *, text: bool = True) -> Iterator[Needle]:
    """A private number of that many bytes, in slices of both byte orders and of Python's digits; its start as text."""
    plain = value.to_bytes(size)
    digits = [value >> at & (1 << _DIGIT_BITS) - 1 for at in range(0, 8 * size, _DIGIT_BITS)]
    orders = {
        "big end first": plain,
        "little end first": plain[::-1],
        "in Python's digits": struct.pack(f"={len(digits)}I", *digits),
    }
    for order, data in orders.items():
        for at in range(0, len(data), SLICE):
            if len(part := data[at : at + SLICE]) >= SLICE // 2:
                yield Needle(f"{name}, {order}, from {at}", part)
    if text:
        yield from _text(name, plain)


def private_key(name: str, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> Iterator[Needle]:
    """All private numbers of an RSA or EC key (RFC 8017, 3.2; RFC 5915). A PKCS#8 document is made of them."""
    numbers = key.private_numbers()
    if isinstance(numbers, ec.EllipticCurvePrivateNumbers):
        yield from number(f"{name}'s private number", numbers.private_value, (key.key_size + 7) // 8)
        return
    yield from number(f"{name}'s d", numbers.d, key.key_size // 8)
    for called, part in (
        ("p", numbers.p),
        ("q", numbers.q),
        ("dP", numbers.dmp1),
        ("dQ", numbers.dmq1),
        ("qInv", numbers.iqmp),
    ):
        # Where one of these stands as text, in a document for example, d does as well.
        yield from number(f"{name}'s {called}", part, key.key_size // 16, text=False)


def _text(name: str, data: bytes) -> Iterator[Needle]:
    """As it is, in hex, base64, repr and so on."""
    for form, shape in forms(data).items():
        yield Needle(f"{name} {form}", data if form == "as it is" else shape)
