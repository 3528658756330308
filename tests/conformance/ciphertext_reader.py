"""A reader of ciphertexts, written from docs/reference/ciphertext.md alone: it imports nothing of the daemon."""

import hashlib
import hmac
import struct
import uuid
from collections.abc import Mapping
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ZEROES = bytes(32)
# Suite: length of the key, of the IV, of the tag.
SIZES = {1: (32, 12, 16), 2: (64, 16, 32), 3: (24, 12, 16), 4: (16, 12, 16), 5: (16, 12, 16)}


class Unreadable(Exception):
    """It is no such ciphertext, or not of this key and context."""


class Header(NamedTuple):
    """The clear part, field by field."""

    suite: int
    purpose: int
    key: str
    key_version: int
    iv: bytes
    size: int


def context_bytes(context: Mapping[str, str]) -> bytes:
    """The canonical context."""
    encoded = {name.encode("utf-8"): value.encode("utf-8") for name, value in context.items()}
    found = struct.pack(">I", len(encoded))
    for name in sorted(encoded):
        for part in (name, encoded[name]):
            found += struct.pack(">I", len(part)) + part
    return found


def header(ciphertext: bytes) -> Header:
    """The header of a ciphertext under a CMK."""
    if len(ciphertext) < 24 or ciphertext[0] != 1 or ciphertext[1] not in SIZES:
        raise Unreadable
    suite, purpose, iv_bytes = ciphertext[1], ciphertext[2], ciphertext[23]
    if iv_bytes != SIZES[suite][1]:
        raise Unreadable
    (key_version,) = struct.unpack(">I", ciphertext[19:23])
    key = str(uuid.UUID(bytes=ciphertext[3:19]))
    return Header(suite, purpose, key, key_version, ciphertext[24 : 24 + iv_bytes], 24 + iv_bytes)


def open_ciphertext(key: bytes, ciphertext: bytes, context: Mapping[str, str]) -> bytes:
    """The plaintext of a ciphertext under a CMK; `key` is the material, in suite 2 cipher key ‖ MAC key."""
    found = header(ciphertext)
    key_bytes, _, tag_bytes = SIZES[found.suite]
    rest = ciphertext[found.size :]
    if len(key) != key_bytes or len(rest) < tag_bytes:
        raise Unreadable
    encrypted, tag = rest[:-tag_bytes], rest[-tag_bytes:]
    bound = ciphertext[: found.size] + context_bytes(context)
    match found.suite:
        case 2:
            text = _open_cbc(key[:32], key[32:], found.iv, encrypted, tag, bound)
        case 5:
            text = _open_sm4(key, found.iv, encrypted, tag, bound)
        case _:
            text = _open_gcm(key, found.iv, encrypted + tag, bound)
    if len(text) < 32 or not hmac.compare_digest(text[:32], ZEROES):
        raise Unreadable
    return text[32:]


def open_value(data_key: bytes, wrapped: bytes, sealed: bytes, account: str, secret: str, version: str) -> bytes:
    """A secret value under its data key, whose ciphertext is `wrapped`."""
    if (
        len(sealed) < 31 + 16
        or sealed[:3] != bytes([1, 1, 17])
        or sealed[3:19] != hashlib.sha256(wrapped).digest()[:16]
    ):
        raise Unreadable
    bound = sealed[:31] + context_bytes({"account": account, "secret": secret, "version": version})
    return _open_gcm(data_key, sealed[19:31], sealed[31:], bound)


def _open_gcm(key: bytes, iv: bytes, sealed: bytes, bound: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(iv, sealed, bound)
    except InvalidTag:
        raise Unreadable from None


def _open_sm4(key: bytes, iv: bytes, encrypted: bytes, tag: bytes, bound: bytes) -> bytes:
    decryptor = Cipher(algorithms.SM4(key), modes.GCM(iv, tag)).decryptor()
    decryptor.authenticate_additional_data(bound)
    try:
        return decryptor.update(encrypted) + decryptor.finalize()
    except InvalidTag:
        raise Unreadable from None


def _open_cbc(key: bytes, mac_key: bytes, iv: bytes, encrypted: bytes, tag: bytes, bound: bytes) -> bytes:
    if not hmac.compare_digest(hmac.digest(mac_key, bound + encrypted, "sha256"), tag):
        raise Unreadable
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    unpadder = padding.PKCS7(128).unpadder()
    return unpadder.update(decryptor.update(encrypted) + decryptor.finalize()) + unpadder.finalize()
