"""The recovery drill on wraps of either suite, made here by an independent library from the documented layout."""

import base64
import hmac
import json
import os
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from cryptography.hazmat.primitives.padding import PKCS7
from typer.testing import CliRunner

from secretsd.cli.hsm import app
from secretsd.domain.envelope import COMMITMENT, CiphertextHeader, Purpose, canonical_context
from secretsd.domain.root_keys import check_bytes

KEK_ID = "6f9619ff-8b86-4011-b42d-00c04fc964ff"
CONTEXT = canonical_context({"account": "system", "use": "authenticates storage rows"})
HASHES = {"RSA-OAEP-SHA256-MGF1-SHA256": hashes.SHA256, "RSA-OAEP-SHA1-MGF1-SHA1": hashes.SHA1}


@pytest.fixture(scope="module")
def operator() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=3072)


def sealed_by_gcm(kek: bytes, text: bytes) -> tuple[bytes, bytes]:
    """Suite 1: the CMK's blob, and the text under it."""
    cmk, iv = os.urandom(32), os.urandom(12)
    packed = CiphertextHeader(1, Purpose.STORAGE_KEY, KEK_ID, 1, iv).pack()
    return aes_key_wrap_with_padding(kek, cmk), packed + AESGCM(cmk).encrypt(iv, text, packed + CONTEXT)


def sealed_by_cbc(kek: bytes, text: bytes) -> tuple[bytes, bytes]:
    """Suite 2: two blobs in one, and the text under both keys."""
    cipher_key, mac_key, iv = os.urandom(32), os.urandom(32), os.urandom(16)
    packed = CiphertextHeader(2, Purpose.STORAGE_KEY, KEK_ID, 1, iv).pack()
    filled = PKCS7(128).padder()
    closing = Cipher(algorithms.AES256(cipher_key), modes.CBC(iv)).encryptor()
    body = closing.update(filled.update(text) + filled.finalize()) + closing.finalize()
    tag = hmac.digest(mac_key, packed + CONTEXT + body, "sha256")
    return b"".join(aes_key_wrap_with_padding(kek, key) for key in (cipher_key, mac_key)), packed + body + tag


def recovery(operator: rsa.RSAPrivateKey, seal: Any, mechanism: str, text: bytes = COMMITMENT + bytes(32)) -> Any:
    kek, mac_key = os.urandom(32), os.urandom(32)
    oaep = padding.OAEP(padding.MGF1(HASHES[mechanism]()), HASHES[mechanism](), None)
    covered = check_bytes(KEK_ID, 3, aes_key_wrap_with_padding(kek, bytes(32)))
    blob, ciphertext = (base64.b64encode(part).decode() for part in seal(kek, text))
    storage_key = json.dumps({"key": {"blob": blob}, "ciphertext": ciphertext})
    return {
        "format": "secretsd recovery 1",
        "kek_id": KEK_ID,
        "mechanism": mechanism,
        "kek": base64.b64encode(operator.public_key().encrypt(kek, oaep)).decode(),
        "mac_key": base64.b64encode(operator.public_key().encrypt(mac_key, oaep)).decode(),
        "generation": 3,
        "check": hmac.digest(mac_key, covered, "sha256")[:16].hex(),
        "storage_key": base64.b64encode(storage_key.encode()).decode(),
    }


def drilled(tmp_path: Path, operator: rsa.RSAPrivateKey, document: Any) -> tuple[int, str]:
    """Exit status and all that is said."""
    key = tmp_path / "key.pem"
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key.write_bytes(operator.private_bytes(*form))
    wrap = tmp_path / "recovery.json"
    wrap.write_text(json.dumps(document))
    ran = CliRunner().invoke(app, ["check-recovery", "--recovery", str(wrap), "--private-key", str(key)])
    return ran.exit_code, ran.output


@pytest.mark.parametrize("mechanism", HASHES)
@pytest.mark.parametrize("seal", [sealed_by_gcm, sealed_by_cbc])
def test_a_wrap_opens_to_the_storage_key(
    tmp_path: Path, operator: rsa.RSAPrivateKey, seal: Any, mechanism: str
) -> None:
    status, told = drilled(tmp_path, operator, recovery(operator, seal, mechanism))
    assert status == 0, told
    assert "generation 3 of the root opens" in told
    assert "the storage key opens under it" in told


@pytest.mark.parametrize("seal", [sealed_by_gcm, sealed_by_cbc])
@pytest.mark.parametrize("name", ["blob", "ciphertext"])
def test_a_storage_key_that_was_changed_does_not(
    tmp_path: Path, operator: rsa.RSAPrivateKey, seal: Any, name: str
) -> None:
    document = recovery(operator, seal, "RSA-OAEP-SHA256-MGF1-SHA256")
    sealed = json.loads(base64.b64decode(document["storage_key"]))
    part = sealed["key"] if name == "blob" else sealed
    data = bytearray(base64.b64decode(part[name]))
    data[-1] ^= 1
    part[name] = base64.b64encode(data).decode()
    document["storage_key"] = base64.b64encode(json.dumps(sealed).encode()).decode()
    status, told = drilled(tmp_path, operator, document)
    assert (status, told) == (78, "cannot open the storage key that came with the recovery wrap\n")


def test_what_opens_and_is_no_storage_key_is_none(tmp_path: Path, operator: rsa.RSAPrivateKey) -> None:
    document = recovery(operator, sealed_by_gcm, "RSA-OAEP-SHA256-MGF1-SHA256", text=bytes(16) + b"short")
    status, told = drilled(tmp_path, operator, document)
    assert (status, told) == (78, "cannot use the storage key that came with the recovery wrap\n")


def test_a_wrap_of_the_first_release_says_that_it_cannot_be_checked(
    tmp_path: Path, operator: rsa.RSAPrivateKey
) -> None:
    document = recovery(operator, sealed_by_gcm, "RSA-OAEP-SHA1-MGF1-SHA1")
    for name in ("generation", "check", "storage_key"):
        del document[name]
    status, told = drilled(tmp_path, operator, document)
    assert status == 78
    assert "this wrap is of a release that knew no check value" in told
