"""Making the root: what stands on the token afterwards, who can take it away, and how the operator gets it back."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.adapters.pkcs11.key_rows import authenticated_bytes
from secretsd.domain.envelope import COMMITMENT, CiphertextHeader, canonical_context
from secretsd.domain.errors import InvalidCiphertext
from secretsd.testing.keystore_suite import CONTEXT, TEXT, USE, metadata
from secretsd.testing.softhsm import KeyStoreProcess, SoftHSM, run_once, softhsm_module

from .conftest import Shim

pytestmark = pytest.mark.integration
CONFIGURATION_FAULT = 78


def public_pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


@pytest.fixture(scope="module")
def operator() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=3072)


def stored_files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


def sealed_with(cmk: bytes, like: bytes, text: bytes) -> bytes:
    """A ciphertext with the header of another one, made by somebody who has the CMK and leaves out what he likes."""
    header, packed, _ = CiphertextHeader.split(like)
    return packed + AESGCM(cmk).encrypt(header.iv, text, packed + canonical_context(CONTEXT))


async def test_the_operators_private_key_alone_opens_everything(tmp_path: Path, operator: rsa.RSAPrivateKey) -> None:
    """The recovery wrap is worth what it opens: a key row's MAC, the CMK in it, a ciphertext under that."""
    token = SoftHSM.create(tmp_path, recovery_public_key=public_pem(operator))
    recovery = token.initialised["recovery"]
    assert recovery["format"] == "secretsd recovery 1"
    assert recovery["mechanism"] == "RSA-OAEP-SHA1-MGF1-SHA1"
    oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
    kek = operator.decrypt(base64.b64decode(recovery["kek"]), oaep)
    mac_key = operator.decrypt(base64.b64decode(recovery["mac_key"]), oaep)

    with KeyStoreProcess(token) as process:
        keystore = ProcessKeyStore(process.path, deadline_seconds=30)
        key = await keystore.generate_key(metadata())
        ciphertext = await keystore.encrypt(key, USE, TEXT, CONTEXT)
        cmk = aes_key_unwrap_with_padding(kek, key.blob)
        for start in (b"", bytes(31), bytes(31) + b"\1"):
            with pytest.raises(InvalidCiphertext):
                await keystore.decrypt(key, USE, sealed_with(cmk, ciphertext, start + TEXT.reveal()), CONTEXT)
        committed = sealed_with(cmk, ciphertext, COMMITMENT + TEXT.reveal())
        assert await keystore.decrypt(key, USE, committed, CONTEXT) == TEXT
        await keystore.close()

    assert key.kek_id == recovery["kek_id"] == token.initialised["kek_id"]
    mac = HMAC(mac_key, hashes.SHA256())
    mac.update(authenticated_bytes(key.metadata, key.suite, key.kek_id, key.blob))
    mac.verify(key.mac)
    header, packed, encrypted = CiphertextHeader.split(ciphertext)
    opened = AESGCM(cmk).decrypt(header.iv, encrypted, packed + canonical_context(CONTEXT))
    assert opened == COMMITMENT + TEXT.reveal()

    for file in stored_files(tmp_path):
        stored = file.read_bytes()
        for secret in (kek, mac_key, cmk, token.pin.encode(), token.initialised["so_pin"].encode()):
            assert secret not in stored, f"{file.name} holds a secret in clear"


def test_the_recovery_document_names_the_key_that_opens_it(tmp_path: Path, operator: rsa.RSAPrivateKey) -> None:
    token = SoftHSM.create(tmp_path, recovery_public_key=public_pem(operator))
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    der = operator.public_key().public_bytes(*form)
    assert token.initialised["recovery"]["public_key_sha256"] == hashlib.sha256(der).hexdigest()


@pytest.fixture
def memory() -> Iterator[Path]:
    """A place of our own for staged tokens: other ones come and go in /dev/shm meanwhile."""
    with TemporaryDirectory(prefix="secretsd-test-", dir="/dev/shm") as place:
        yield Path(place)


def blank(directory: Path, memory: Path, **more: Any) -> tuple[int, str, str]:
    """What `initialise` says to an empty directory with these settings."""
    (directory / "tokens").mkdir()
    (directory / "data").mkdir()
    settings = directory / "softhsm2.conf"
    settings.write_text(f"directories.tokendir = {directory}/tokens\n")
    found = SoftHSM(directory, softhsm_module(), "correct-pin", {}, {})
    more["environment"] = {
        "XDG_RUNTIME_DIR": str(memory),
        "SOFTHSM2_CONF": str(settings),
        **more.get("environment", {}),
    }
    return run_once(found.configuration("initialise", **more))


def nothing_left(directory: Path, memory: Path) -> bool:
    return not list((directory / "tokens").iterdir()) and not list(memory.iterdir())


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({}, "name a recovery key, or refuse one"),
        ({"recovery_public_key": "x", "refuse_recovery": True}, "not both"),
        ({"recovery_public_key": "not a key"}, "no RSA public key in PEM form"),
        ({"recovery_public_key": public_pem(ec.generate_private_key(ec.SECP256R1()))}, "no RSA public key in PEM form"),
        ({"recovery_public_key": public_pem(rsa.generate_private_key(65537, 2048))}, "at least 3072 bits"),
        (
            {"refuse_recovery": True, "environment": {"SOFTHSM2_CONF": "/nowhere/softhsm2.conf"}},
            "it answers GeneralError",
        ),
        ({"refuse_recovery": True, "module": "/nowhere/module.so"}, "there is no such file"),
        ({"refuse_recovery": True, "module": "/bin/true"}, "it is no such library"),
        ({"refuse_recovery": True, "token_label": "ü" * 17}, "longer than 32 bytes"),
        ({"refuse_recovery": True, "data_dir": "/nowhere"}, "it does not exist"),
    ],
)
def test_what_cannot_be_initialised_is_said_and_leaves_nothing(
    tmp_path: Path, memory: Path, more: dict, reason: str
) -> None:
    status, output, errors = blank(tmp_path, memory, **more)
    assert status == CONFIGURATION_FAULT
    assert output == ""
    assert re.match(f"cannot .*{reason.removeprefix('cannot')}", errors)
    assert nothing_left(tmp_path, memory)


def test_a_token_is_made_once(tmp_path: Path) -> None:
    token = SoftHSM.create(tmp_path)
    before = {path: path.read_bytes() for path in stored_files(tmp_path)}
    status, _, errors = run_once(token.configuration("initialise", refuse_recovery=True))
    assert status == CONFIGURATION_FAULT
    assert "it exists already" in errors
    assert {path: path.read_bytes() for path in stored_files(tmp_path)} == before


@pytest.mark.parametrize("function", ["C_CreateObject", "C_GenerateKey", "C_WrapKey", "C_Sign", "C_Encrypt"])
def test_a_module_that_fails_in_between_leaves_no_token(
    tmp_path: Path, memory: Path, module_shim: Shim, function: str
) -> None:
    module_shim.fail(f"{function} return 0x30 -1")
    environment = {**module_shim.environment, "XDG_RUNTIME_DIR": str(memory)}
    try:
        with pytest.raises(RuntimeError, match="cannot"):
            SoftHSM.create(tmp_path, module=str(module_shim.path), environment=environment)
    finally:
        module_shim.fail()
    assert nothing_left(tmp_path, memory)


def test_a_probe_tells_what_it_found(tmp_path: Path) -> None:
    token = SoftHSM.create(tmp_path)
    status, output, _ = run_once(token.configuration("probe"))
    found = json.loads(output)
    assert status == 0
    assert found["usable"]
    assert found["reason"] == ""
    assert found["kek_id"] == token.initialised["kek_id"]
    assert "PKCS11" in found["module"]


def test_a_token_without_our_root_is_refused(tmp_path: Path) -> None:
    token = SoftHSM.create(tmp_path)
    other = {**token.configuration("probe"), "token_label": "another"}
    _, output, _ = run_once(other)
    assert not json.loads(output)["usable"]
