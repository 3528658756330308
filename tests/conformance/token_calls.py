"""Run as a program beside a test: does with keys of a SoftHSM2 token what the key store does, with keys of the test's.

Reads from standard input {"token": [module, label, PIN], "calls": [[what, {...}], …]}, writes the answers as a list:
hexadecimal text, or null for what the token refused. A program of its own, because a library can be loaded for one
token in a process.
"""

import json
import sys
from typing import Any

import pkcs11
from asn1crypto.keys import PrivateKeyInfo
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass
from pkcs11.exceptions import PKCS11Error
from pkcs11.util.ec import encode_named_curve_parameters
from pkcs11.util.rsa import decode_rsa_private_key

from secretsd.adapters.pkcs11 import asymmetric, suites
from secretsd.adapters.pkcs11.attributes import Mapper
from secretsd.adapters.pkcs11.key_kinds import Pair
from secretsd.domain.algorithms import EncryptionAlgorithm, MacAlgorithm, SigningAlgorithm
from secretsd.domain.envelope import SUITE_AES_256_CBC_HMAC, SUITE_AES_256_GCM

A = Attribute
GCM, CBC = suites.SUITES[SUITE_AES_256_GCM], suites.SUITES[SUITE_AES_256_CBC_HMAC]
EDWARDS25519 = b"\x13\x0cedwards25519"


class Token:
    """A session with keys that the caller names by value; every method takes and gives bytes."""

    def __init__(self, module: str, label: str, pin: str) -> None:
        self._session = pkcs11.lib(module).get_token(token_label=label).open(user_pin=pin, attribute_mapper=Mapper())

    def secret(self, kind: KeyType, value: bytes, **uses: bool) -> Any:
        """A secret key as a session object."""
        about = {A.CLASS: ObjectClass.SECRET_KEY, A.KEY_TYPE: kind, A.TOKEN: False, A.PRIVATE: True, A.VALUE: value}
        return self._session.create_object(about | {Attribute[name]: value for name, value in uses.items()})

    def rsa(self, pkcs8: bytes, use: MechanismFlag) -> Any:
        """An RSA private key as a session object."""
        key = decode_rsa_private_key(PrivateKeyInfo.load(pkcs8)["private_key"].parsed.dump(), capabilities=use)
        return self._session.create_object({**key, A.TOKEN: False, A.PRIVATE: True})

    def gcm_seal(self, key: bytes, iv: bytes, aad: bytes, text: bytes) -> bytes:
        """Ciphertext ‖ tag of suites 1, 3 and 4."""
        return GCM.seal(self.secret(KeyType.AES, key, ENCRYPT=True), iv, aad, text)

    def gcm_unseal(self, key: bytes, iv: bytes, aad: bytes, sealed: bytes) -> bytes:
        """The text of suites 1, 3 and 4."""
        return GCM.unseal(self.secret(KeyType.AES, key, DECRYPT=True), iv, aad, sealed)

    def cbc_seal(self, key: bytes, mac_key: bytes, iv: bytes, aad: bytes, text: bytes) -> bytes:
        """Ciphertext ‖ tag of suite 2."""
        return CBC.seal(self._pair(key, mac_key), iv, aad, text)

    def cbc_unseal(self, key: bytes, mac_key: bytes, iv: bytes, aad: bytes, sealed: bytes) -> bytes:
        """The text of suite 2."""
        return CBC.unseal(self._pair(key, mac_key), iv, aad, sealed)

    def mac(self, key: bytes, algorithm: bytes, message: bytes) -> bytes:
        """The HMAC of a message."""
        return asymmetric.mac(
            self.secret(KeyType.GENERIC_SECRET, key, SIGN=True), MacAlgorithm(algorithm.decode()), message
        )

    def oaep(self, pkcs8: bytes, algorithm: bytes, ciphertext: bytes) -> bytes:
        """What was encrypted under the key's public half."""
        key = self.rsa(pkcs8, MechanismFlag.DECRYPT)
        return asymmetric.decrypt(key, EncryptionAlgorithm(algorithm.decode()), ciphertext)

    def rsa_sign(self, pkcs8: bytes, algorithm: bytes, digest: bytes) -> bytes:
        """The signature of a digest."""
        return asymmetric.sign(self.rsa(pkcs8, MechanismFlag.SIGN), SigningAlgorithm(algorithm.decode()), digest)

    def ec_sign(self, curve: bytes, value: bytes, algorithm: bytes, digest: bytes) -> bytes:
        """The signature of a digest, or of a message where `curve` is edwards25519."""
        edwards = curve == b"edwards25519"
        about = {
            A.CLASS: ObjectClass.PRIVATE_KEY,
            A.KEY_TYPE: KeyType.EC_EDWARDS if edwards else KeyType.EC,
            A.EC_PARAMS: EDWARDS25519 if edwards else encode_named_curve_parameters(curve.decode()),
            A.VALUE: value,
            A.SIGN: True,
            A.TOKEN: False,
            A.PRIVATE: True,
        }
        return asymmetric.sign(self._session.create_object(about), SigningAlgorithm(algorithm.decode()), digest)

    def kwp_wrap(self, kek: bytes, material: bytes) -> bytes:
        """Material wrapped as in RFC 5649, as the root KEK wraps CMKs."""
        wrapping = self.secret(KeyType.AES, kek, WRAP=True)
        wrapped = self.secret(KeyType.GENERIC_SECRET, material, EXTRACTABLE=True)
        return bytes(wrapping.wrap_key(wrapped, mechanism=Mechanism.AES_KEY_WRAP_PAD))

    def kwp_unwrap(self, kek: bytes, blob: bytes) -> bytes:
        """The material of a blob."""
        template = {A.SENSITIVE: False, A.EXTRACTABLE: True, A.TOKEN: False}
        key = self.secret(KeyType.AES, kek, UNWRAP=True).unwrap_key(
            ObjectClass.SECRET_KEY,
            KeyType.GENERIC_SECRET,
            blob,
            mechanism=Mechanism.AES_KEY_WRAP_PAD,
            template=template,
        )
        return bytes(key[A.VALUE])

    def _pair(self, key: bytes, mac_key: bytes) -> Pair:
        cipher = self.secret(KeyType.AES, key, ENCRYPT=True, DECRYPT=True)
        return Pair(cipher, self.secret(KeyType.GENERIC_SECRET, mac_key, SIGN=True))


def main() -> None:
    """Answers every call."""
    asked = json.load(sys.stdin)
    token, answers = Token(*asked["token"]), []
    for what, fields in asked["calls"]:
        try:
            made = getattr(token, what)(**{name: bytes.fromhex(value) for name, value in fields.items()})
            answers.append(made.hex())
        except PKCS11Error:
            answers.append(None)
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
