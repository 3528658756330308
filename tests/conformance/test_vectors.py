"""Published vectors (Project Wycheproof, RFC 8032) against whatever does the algorithm here: the token and the worker.

The token is SoftHSM2, driven by the functions that the key store drives it by; signatures are verified, and RSA
encryption is done, in the worker.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from secretsd.domain.algorithms import EncryptionAlgorithm, MacAlgorithm, SigningAlgorithm, hash_of
from secretsd.domain.errors import InvalidCiphertext
from secretsd.domain.sensitive import Plaintext
from secretsd.operations import public_keys
from secretsd.testing import memory_keys
from secretsd.testing.softhsm import SoftHSM
from tests.conformance.ciphertext_reader import context_bytes, open_ciphertext

HERE = Path(__file__).parent
Call = tuple[str, dict[str, bytes]]
Ask = Callable[[list[Call]], list[bytes | None]]
CURVES: dict[str, tuple[ec.EllipticCurve, SigningAlgorithm]] = {
    "secp256r1": (ec.SECP256R1(), SigningAlgorithm.ECDSA_SHA_256),
    "secp384r1": (ec.SECP384R1(), SigningAlgorithm.ECDSA_SHA_384),
    "secp521r1": (ec.SECP521R1(), SigningAlgorithm.ECDSA_SHA_512),
    "secp256k1": (ec.SECP256K1(), SigningAlgorithm.ECDSA_SHA_256),
}
# RFC 8032, 7.1, tests 1 to 3: private key, message, signature.
ED25519 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe"
            "24655141438e7a100b"
        ),
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302ae"
            "eb00d291612bb0c00"
        ),
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28"
            "dc027beceea1ec40a"
        ),
    ),
]


def groups(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((HERE / "vectors" / f"{name}.json").read_text())["groups"]
    assert found
    return found


def raw(text: str) -> bytes:
    return bytes.fromhex(text)


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Calls of token_calls.py, answered in order by one run of it."""
    token = SoftHSM.create(tmp_path_factory.mktemp("token"))

    def run(calls: list[Call]) -> list[bytes | None]:
        asked = [[what, {name: value.hex() for name, value in fields.items()}] for what, fields in calls]
        ran = subprocess.run(
            [sys.executable, str(HERE / "token_calls.py")],
            input=json.dumps({"token": [token.module, token.token_label, token.pin], "calls": asked}),
            env={**token.environment, "PATH": "/usr/bin:/bin"},
            capture_output=True, text=True, check=False, timeout=100,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        return [None if answer is None else raw(answer) for answer in json.loads(ran.stdout)]

    return run


@pytest.mark.parametrize(
    "algorithm", [one for one in SigningAlgorithm if one is not SigningAlgorithm.SM2DSA], ids=lambda one: one.value
)
def test_signatures_are_valid_or_not_as_published(algorithm: SigningAlgorithm) -> None:
    wrong, seen = [], set()
    for group in groups("signatures"):
        if group["algorithm"] != algorithm.value:
            continue
        for test in group["tests"]:
            message = raw(test["msg"])
            if algorithm is not SigningAlgorithm.ED25519_SHA_512:
                message = hashlib.new(hash_of(algorithm), message).digest()
            valid = public_keys.verify(raw(group["publicKeyDer"]), algorithm, message, raw(test["sig"]))
            seen.add(test["result"])
            if valid != (test["result"] == "valid"):
                wrong.append((group["file"], test["tcId"], test["comment"]))
    assert seen == {"valid", "invalid"}
    assert wrong == []


def test_a_salt_that_is_not_as_long_as_the_digest_makes_no_valid_signature() -> None:
    """Valid by RFC 8017, but not by the algorithms here, which fix the length: nobody else is to sign in their name."""
    for group in groups("rsa_pss_salts"):
        algorithm = SigningAlgorithm(group["algorithm"])
        for test in group["tests"]:
            digest = hashlib.new(hash_of(algorithm), raw(test["msg"])).digest()
            assert group["saltLength"] != len(digest)
            assert not public_keys.verify(raw(group["publicKeyDer"]), algorithm, digest, raw(test["sig"]))


@pytest.mark.parametrize("algorithm", [EncryptionAlgorithm.RSAES_OAEP_SHA_1, EncryptionAlgorithm.RSAES_OAEP_SHA_256])
def test_the_key_store_in_memory_decrypts_oaep_as_published(algorithm: EncryptionAlgorithm) -> None:
    for group in groups("rsa_oaep"):
        if group["algorithm"] != algorithm.value:
            continue
        for test in group["tests"]:
            try:
                text = memory_keys.decrypt_asymmetric(raw(group["privateKeyPkcs8"]), algorithm, raw(test["ct"]))
            except InvalidCiphertext:
                text = None
            assert text == _published(test), (group["file"], test["tcId"])


def _published(test: dict[str, Any]) -> bytes | None:
    """What is to come out: nothing where it is invalid, nor where it has a label, which ciphertexts here never have."""
    return raw(test["msg"]) if test["result"] == "valid" and not test["label"] else None


@pytest.mark.integration
class TestToken:
    """What the HSM does."""

    def test_gcm(self, ask: Ask) -> None:
        calls: list[Call] = []
        wanted: list[bytes | None] = []
        for group in groups("aes_gcm"):
            for test in group["tests"]:
                about = {name: raw(test[name]) for name in ("key", "iv", "aad")}
                text, sealed = raw(test["msg"]), raw(test["ct"]) + raw(test["tag"])
                valid = test["result"] == "valid"
                calls.append(("gcm_unseal", {**about, "sealed": sealed}))
                wanted.append(text if valid else None)
                if valid:
                    calls.append(("gcm_seal", {**about, "text": text}))
                    wanted.append(sealed)
        assert {group["keySize"] for group in groups("aes_gcm")} == {128, 192, 256}
        assert ask(calls) == wanted

    def test_hmac(self, ask: Ask) -> None:
        calls: list[Call] = []
        tests = []
        for group in groups("hmac"):
            for test in group["tests"]:
                fields = {
                    "key": raw(test["key"]),
                    "algorithm": group["algorithm"].encode(),
                    "message": raw(test["msg"]),
                }
                calls.append(("mac", fields))
                tests.append(test)
        assert {group["algorithm"] for group in groups("hmac")} == {one.value for one in MacAlgorithm}
        for test, mac in zip(tests, ask(calls), strict=True):
            assert (mac == raw(test["tag"])) == (test["result"] == "valid"), test["tcId"]

    def test_key_wrapping(self, ask: Ask) -> None:
        calls: list[Call] = []
        wanted: list[bytes | None] = []
        for group in groups("aes_kwp"):
            for test in group["tests"]:
                if not test["msg"]:
                    continue  # no key is empty
                kek, material, blob = raw(test["key"]), raw(test["msg"]), raw(test["ct"])
                valid = test["result"] == "valid"
                calls.append(("kwp_unwrap", {"kek": kek, "blob": blob}))
                wanted.append(material if valid else None)
                # SoftHSM2 2.6.1 first lengthens a key with zeros to whole blocks of 8 bytes and so wraps another one.
                if valid and len(material) % 8 == 0:
                    calls.append(("kwp_wrap", {"kek": kek, "material": material}))
                    wanted.append(blob)
        assert ask(calls) == wanted

    def test_oaep(self, ask: Ask) -> None:
        """SoftHSM2 has OAEP with SHA-1 only."""
        calls: list[Call] = []
        wanted = []
        for group in groups("rsa_oaep"):
            if group["algorithm"] == "RSAES_OAEP_SHA_1":
                for test in group["tests"]:
                    key = {"pkcs8": raw(group["privateKeyPkcs8"]), "algorithm": b"RSAES_OAEP_SHA_1"}
                    calls.append(("oaep", {**key, "ciphertext": raw(test["ct"])}))
                    wanted.append(_published(test))
        assert {one is None for one in wanted} == {True, False}
        assert ask(calls) == wanted

    def test_rsa_signatures(self, ask: Ask) -> None:
        calls: list[Call] = []
        wanted = []
        pss: list[tuple[SigningAlgorithm, bytes, bytes]] = []
        for group in groups("rsa_pkcs1_signing"):
            algorithm, key = SigningAlgorithm(group["algorithm"]), raw(group["privateKeyPkcs8"])
            for test in group["tests"]:
                digest = hashlib.new(hash_of(algorithm), raw(test["msg"])).digest()
                calls.append(("rsa_sign", {"pkcs8": key, "algorithm": algorithm.value.encode(), "digest": digest}))
                wanted.append(raw(test["sig"]))
                salted = SigningAlgorithm(algorithm.value.replace("PKCS1_V1_5", "PSS"))
                calls.append(("rsa_sign", {"pkcs8": key, "algorithm": salted.value.encode(), "digest": digest}))
                pss.append((salted, key, digest))
        answers = ask(calls)
        assert answers[::2] == wanted
        for (algorithm, pkcs8, digest), signature in zip(pss, answers[1::2], strict=True):
            private = serialization.load_der_private_key(pkcs8, None)
            assert isinstance(private, rsa.RSAPrivateKey)
            assert signature is not None
            assert public_keys.verify(_spki(private), algorithm, digest, signature)

    def test_ed25519_signatures(self, ask: Ask) -> None:
        about = {"curve": b"edwards25519", "algorithm": b"ED25519_SHA_512"}
        calls: list[Call] = [("ec_sign", {**about, "value": raw(key), "digest": raw(text)}) for key, text, _ in ED25519]
        assert ask(calls) == [raw(signature) for *_, signature in ED25519]

    def test_ecdsa_signatures(self, ask: Ask) -> None:
        """Its random number is not ours to choose, so they are verified instead; an odd private key is among them."""
        calls: list[Call] = []
        made = []
        for name, (curve, algorithm) in CURVES.items():
            for number in (1, 0x1234567890ABCDEF, (1 << (curve.key_size - 2)) + 7):
                private = ec.derive_private_key(number, curve)
                digest = hashlib.new(hash_of(algorithm), name.encode()).digest()
                value = number.to_bytes((curve.key_size + 7) // 8)
                fields = {"curve": name.encode(), "value": value, "algorithm": algorithm.value.encode()}
                calls.append(("ec_sign", {**fields, "digest": digest}))
                made.append((private, algorithm, digest))
        for (private, algorithm, digest), signature in zip(made, ask(calls), strict=True):
            assert signature is not None
            assert public_keys.verify(_spki(private), algorithm, digest, signature)

    def test_suite_2_is_what_the_reference_says(self, ask: Ask) -> None:
        """The token seals, the independent reader opens; and the other way round."""
        key, mac_key, iv = bytes(range(32)), bytes(range(32, 64)), bytes(16)
        clear = bytes([1, 2, 1]) + bytes(16) + b"\0\0\0\1\x10" + iv
        context = {"a": "b"}
        about = {"key": key, "mac_key": mac_key, "iv": iv, "aad": clear + context_bytes(context)}
        texts = [b"", b"x", bytes(15), bytes(16), bytes(6144)]
        sealed = ask([("cbc_seal", {**about, "text": bytes(32) + text}) for text in texts])
        for text, one in zip(texts, sealed, strict=True):
            assert one is not None
            assert open_ciphertext(key + mac_key, clear + one, context) == text
        good = sealed[1]
        assert good is not None
        changed = [bytes([*good[:at], good[at] ^ 1, *good[at + 1 :]]) for at in range(len(good))]
        answers = ask(
            [("cbc_unseal", {**about, "sealed": one}) for one in (good, *changed, good[:-1], b"", good[-32:])]
        )
        assert answers == [bytes(32) + b"x", *[None] * (len(changed) + 3)]


def _spki(private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return private.public_key().public_bytes(serialization.Encoding.DER, kind)


def test_what_the_worker_encrypts_by_oaep_a_published_key_decrypts() -> None:
    for group in groups("rsa_oaep"):
        pkcs8, algorithm = raw(group["privateKeyPkcs8"]), EncryptionAlgorithm(group["algorithm"])
        private = serialization.load_der_private_key(pkcs8, None)
        assert isinstance(private, rsa.RSAPrivateKey)
        made = public_keys.encrypt(_spki(private), algorithm, Plaintext(b"text"))
        assert memory_keys.decrypt_asymmetric(pkcs8, algorithm, made) == b"text"
