"""What imported material must prove, on modules that are worse than the one that the other tests run on."""

import math
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from pkcs11 import Attribute, AttributeSensitive

from secretsd.adapters.pkcs11 import attributes, imported_keys
from secretsd.adapters.pkcs11.key_kinds import KeyKind, kind_for
from secretsd.adapters.pkcs11.protection import RENEWABLE
from secretsd.domain.errors import InvalidCiphertext, Unsupported
from secretsd.domain.key_specs import KeySpec, KeyUsage

AES = kind_for(KeySpec.AES_256, KeyUsage.ENCRYPT_DECRYPT)
RSA = kind_for(KeySpec.RSA_2048, KeyUsage.SIGN_VERIFY)


@dataclass
class Key:
    """An object of a module that takes a key of any length: what it encrypts is the key itself."""

    value: bytes
    told: dict[Attribute, Any] = field(default_factory=dict)

    def __getitem__(self, attribute: Attribute) -> Any:
        if attribute is Attribute.VALUE:
            raise AttributeSensitive
        if attribute in self.told:
            return self.told[attribute]
        if attribute in (Attribute.CLASS, Attribute.KEY_TYPE):
            return {Attribute.CLASS: AES.object_class, Attribute.KEY_TYPE: AES.key_type}[attribute]
        if attribute in (Attribute.ENCRYPT, Attribute.DECRYPT):
            return True
        return attributes.CMK.get(attribute, False)

    def encrypt(self, text: bytes, **_: Any) -> bytes:
        return self.value

    def destroy(self) -> None:
        return


class Module:
    """A token whose wrapping fills up a key to whole blocks of 8 bytes, as SoftHSM's does."""

    def __init__(self) -> None:
        self.owner = self
        self.protection = RENEWABLE

    def wrap(self, root: Any, key: Key) -> bytes:
        return bytes(8) + key.value + bytes(-len(key.value) % 8)

    def unwrap(self, root: Any, kind: KeyKind, blob: bytes) -> Key:
        return Key(blob[8:])

    def create_object(self, template: dict[Attribute, Any]) -> Key:
        return Key(template[Attribute.VALUE])


def proved(key: Key) -> tuple[bytes, bytes, bytes]:
    module: Any = Module()
    root: Any = None
    return imported_keys.proved(module, root, AES, key)


def test_a_good_key_is_what_comes_out_of_its_blob() -> None:
    key = Key(bytes(range(32)))
    assert proved(key) == (bytes(8) + key.value, b"", key.value)


@pytest.mark.parametrize("size", [0, 16, 24, 25, 31, 33, 40])
def test_a_key_of_another_length_is_refused_although_the_module_fills_it_up(size: int) -> None:
    with pytest.raises(InvalidCiphertext, match="no key of 256 bits"):
        proved(Key(bytes(range(1, size + 1))))


def test_a_length_that_the_module_tells_is_believed() -> None:
    assert proved(Key(bytes(range(32)), {Attribute.VALUE_LEN: 32}))
    with pytest.raises(InvalidCiphertext, match="no key of 256 bits"):
        proved(Key(bytes(range(32)), {Attribute.VALUE_LEN: 31}))


def test_zeros_are_no_key() -> None:
    with pytest.raises(InvalidCiphertext, match="nothing but zeros"):
        proved(Key(bytes(32)))


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        (Attribute.SENSITIVE, False),
        (Attribute.WRAP_WITH_TRUSTED, False),
        (Attribute.WRAP, True),
        (Attribute.SIGN, True),
    ],
)
def test_a_module_that_guards_imported_keys_less_imports_none(attribute: Attribute, value: bool) -> None:
    with pytest.raises(Unsupported, match="does not guard what is imported"):
        proved(Key(bytes(range(32)), {attribute: value}))


@dataclass
class Numbers:
    modulus: int
    exponent: int = 65537

    def __getitem__(self, attribute: Attribute) -> bytes:
        number = {Attribute.MODULUS: self.modulus, Attribute.PUBLIC_EXPONENT: self.exponent}[attribute]
        return number.to_bytes((number.bit_length() + 7) // 8)


@pytest.fixture(scope="module")
def modulus() -> int:
    return rsa.generate_private_key(65537, 2048).public_key().public_numbers().n


def test_good_numbers_of_rsa_pass(modulus: int) -> None:
    for exponent in (65537, 65539, 2**256 - 1):
        imported_keys.require_numbers(RSA, Numbers(modulus, exponent))


@pytest.mark.parametrize("exponent", [1, 2, 3, 17, 65535, 65536, 65538, 2**256, 2**256 + 1])
def test_weak_exponents_are_refused(modulus: int, exponent: int) -> None:
    with pytest.raises(InvalidCiphertext, match="exponent"):
        imported_keys.require_numbers(RSA, Numbers(modulus, exponent))


def test_a_modulus_that_can_be_factored_is_refused(modulus: int) -> None:
    small, first = math.prod(range(3, 1000, 2)), math.isqrt(2**2047) + 2**1020 | 1
    p = next(n for n in range(first, 2**1024, 2) if math.gcd(n * (n + 2**500), small) == 1)
    for weak in (modulus - 1, 997 * (2**2047 // 997 + 2 | 1), p * (p + 2**500), p * p):
        assert weak.bit_length() == 2048
        with pytest.raises(InvalidCiphertext, match="can be factored"):
            imported_keys.require_numbers(RSA, Numbers(weak))


@pytest.mark.parametrize("bits", [1024, 2047, 2049, 3072])
def test_a_modulus_of_another_size_is_refused(bits: int) -> None:
    with pytest.raises(InvalidCiphertext, match="has not 2048 bits"):
        imported_keys.require_numbers(RSA, Numbers(2 ** (bits - 1) + 1))
