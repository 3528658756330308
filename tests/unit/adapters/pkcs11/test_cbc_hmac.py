"""Suite 2's order of things: a MAC over everything, and nothing decrypted before it fits."""

import hashlib
import hmac
from types import SimpleNamespace
from typing import Any

import pytest
from pkcs11 import DeviceError, EncryptedDataInvalid, FunctionFailed

from secretsd.adapters.pkcs11 import cbc_hmac
from secretsd.adapters.pkcs11.key_kinds import Pair

IV, BOUND, MAC_KEY = b"i" * 16, b"header and context", b"m" * 32


class Cipher:
    """Turns the text over, and remembers what it was asked to decrypt."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure, self.decrypted = failure, list[bytes]()

    def encrypt(self, text: bytes, **_: Any) -> bytes:
        return text[::-1]

    def decrypt(self, encrypted: bytes, **_: Any) -> bytes:
        self.decrypted.append(encrypted)
        if self.failure is not None:
            raise self.failure
        return encrypted[::-1]


def pair(cipher: Cipher) -> Pair:
    mac = SimpleNamespace(sign=lambda data, **_: hmac.digest(MAC_KEY, data, hashlib.sha256))
    return Pair(cipher, mac)


def test_the_tag_is_over_additional_data_and_ciphertext() -> None:
    sealed = cbc_hmac.seal(pair(Cipher()), IV, BOUND, b"text")
    assert sealed == b"txet" + hmac.digest(MAC_KEY, BOUND + b"txet", hashlib.sha256)
    assert cbc_hmac.unseal(pair(Cipher()), IV, BOUND, sealed) == b"text"


@pytest.mark.parametrize("place", [0, 3, 4, 35])
def test_nothing_is_decrypted_whose_tag_does_not_fit(place: int) -> None:
    cipher = Cipher()
    changed = bytearray(cbc_hmac.seal(pair(cipher), IV, BOUND, b"text"))
    changed[place] ^= 1
    with pytest.raises(EncryptedDataInvalid):
        cbc_hmac.unseal(pair(cipher), IV, BOUND, bytes(changed))
    with pytest.raises(EncryptedDataInvalid):
        cbc_hmac.unseal(pair(cipher), IV, BOUND + b"!", bytes(changed))
    assert cipher.decrypted == []


def test_what_has_its_tag_is_never_called_a_bad_ciphertext() -> None:
    sealed = cbc_hmac.seal(pair(Cipher()), IV, BOUND, b"text")
    with pytest.raises(DeviceError):
        cbc_hmac.unseal(pair(Cipher(FunctionFailed())), IV, BOUND, sealed)
