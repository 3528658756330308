"""Bringing a key of one's own as the guide tells: the OpenSSL command line, a daemon on SoftHSM2, its trace on disk."""

import base64
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from secretsd.domain.envelope import COMMITMENT, CiphertextHeader, canonical_context
from secretsd.testing.canaries import forms
from secretsd.testing.daemon import Answered, Daemon
from tests.acceptance.wire import daemon_in_passable_place

pytestmark = pytest.mark.acceptance
TEXT = b"correct horse battery staple"
LIFE_MS = 4_000
"""A busy machine needs part of it to import the material and to use it once."""
OAEP = ("-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha1")


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with daemon_in_passable_place(workers=2) as daemon:
        yield daemon


def openssl(place: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=place, check=True, capture_output=True)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def ask(daemon: Daemon, key: str, verb: str, **body: Any) -> Answered:
    """Over a new connection each time, so that either worker may answer."""
    return daemon.call("POST", f"/v1/keys/{key}:{verb}", body, tcp=True)


def external(daemon: Daemon, spec: str) -> str:
    answer = daemon.call("POST", "/v1/keys", {"spec": spec, "origin": "EXTERNAL"}, tcp=True)
    assert (answer.status, answer.body["state"]) == (200, "pending-import")
    return str(answer.body["id"])


def wrapped(place: Path, told: dict[str, Any], material: bytes) -> str:
    """The commands of the guide."""
    (place / "wrapping.der").write_bytes(base64.b64decode(told["public_key"]))
    (place / "material").write_bytes(material)
    under = ("-pubin", "-keyform", "DER", "-inkey", "wrapping.der", *OAEP)
    if told["wrapping_algorithm"] == "RSAES_OAEP_SHA_1":
        openssl(place, "pkeyutl", "-encrypt", "-in", "material", *under, "-out", "wrapped")
        return b64((place / "wrapped").read_bytes())
    openssl(place, "rand", "-out", "aes.key", "32")
    openssl(place, "pkeyutl", "-encrypt", "-in", "aes.key", *under, "-out", "first")
    cipher = ("-id-aes256-wrap-pad", "-iv", "A65959A6", "-K", (place / "aes.key").read_bytes().hex())
    openssl(place, "enc", *cipher, "-in", "material", "-out", "second")
    return b64((place / "first").read_bytes() + (place / "second").read_bytes())


def bring(daemon: Daemon, place: Path, key: str, material: bytes, algorithm: str, **fields: Any) -> Answered:
    """Imports it. A field that is a function is asked for its value when all else is ready."""
    told = ask(daemon, key, "get-parameters-for-import", wrapping_algorithm=algorithm, **fields.pop("parameters", {}))
    assert told.status == 200, told.body
    sealed = wrapped(place, told.body, material)
    fields = {name: value() if callable(value) else value for name, value in fields.items()}
    return ask(
        daemon, key, "import-material", import_token=told.body["import_token"], encrypted_material=sealed, **fields
    )


@pytest.mark.parametrize("algorithm", ["RSAES_OAEP_SHA_1", "RSA_AES_KEY_WRAP_SHA_1"])
@pytest.mark.parametrize("pair", ["RSA_2048", "RSA_4096"])
def test_an_aes_key_comes_in_and_its_owner_reads_what_it_makes(
    daemon: Daemon, tmp_path: Path, algorithm: str, pair: str
) -> None:
    key, material = external(daemon, "AES_256"), os.urandom(32)
    answer = bring(daemon, tmp_path, key, material, algorithm, parameters={"wrapping_key_spec": pair})
    assert (answer.status, answer.body) == (200, {"id": key, "state": "enabled"})
    made = ask(daemon, key, "encrypt", plaintext=b64(TEXT)).body["ciphertext"]
    header, packed, encrypted = CiphertextHeader.split(base64.b64decode(made))
    opened = AESGCM(material).decrypt(header.iv, encrypted, packed + canonical_context({}))
    assert opened == COMMITMENT + TEXT


def test_a_private_key_comes_in_and_signs_for_its_owner(daemon: Daemon, tmp_path: Path) -> None:
    openssl(tmp_path, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521", "-out", "mine.pem")
    openssl(tmp_path, "pkey", "-in", "mine.pem", "-pubout", "-out", "public.pem")
    openssl(tmp_path, "pkcs8", "-topk8", "-nocrypt", "-in", "mine.pem", "-outform", "DER", "-out", "pkcs8")
    key = external(daemon, "ECC_NIST_P521")
    material = (tmp_path / "pkcs8").read_bytes()
    assert bring(daemon, tmp_path, key, material, "RSA_AES_KEY_WRAP_SHA_1").status == 200
    answer = ask(daemon, key, "sign", message=b64(TEXT))
    assert answer.status == 200, answer.body
    (tmp_path / "text").write_bytes(TEXT)
    (tmp_path / "signature").write_bytes(base64.b64decode(answer.body["signature"]))
    openssl(tmp_path, "dgst", "-sha512", "-verify", "public.pem", "-signature", "signature", "text")


def test_material_goes_on_its_day_and_the_same_comes_back(daemon: Daemon, tmp_path: Path) -> None:
    key, material = external(daemon, "AES_256"), os.urandom(32)
    wanted: list[int] = []

    def soon() -> int:
        wanted.append(int(time.time() * 1000) + LIFE_MS)
        return wanted[-1]

    answer = bring(daemon, tmp_path, key, material, "RSAES_OAEP_SHA_1", expires_ms=soon)
    assert [answer.body["expires_ms"]] == wanted
    made = ask(daemon, key, "encrypt", plaintext=b64(TEXT)).body["ciphertext"]
    deadline = time.monotonic() + 30
    while (state := daemon.call("GET", f"/v1/keys/{key}", tcp=True).body["state"]) != "pending-import":
        assert (state, time.monotonic() < deadline) == ("enabled", True)
        time.sleep(0.1)
    opening = {"ciphertext": made}
    assert daemon.call("POST", "/v1/ciphertexts:decrypt", opening, tcp=True).kind == "invalid-state"
    assert bring(daemon, tmp_path, key, os.urandom(32), "RSAES_OAEP_SHA_1").kind == "conflict"
    assert bring(daemon, tmp_path, key, material, "RSAES_OAEP_SHA_1").status == 200
    answer = daemon.call("POST", "/v1/ciphertexts:decrypt", opening, tcp=True)
    assert answer.body["plaintext"] == b64(TEXT)
    assert ask(daemon, key, "delete-material").body["state"] == "pending-import"


def test_every_refusal_leaves_one_event_and_the_key_as_it_was(daemon: Daemon, tmp_path: Path) -> None:
    key = external(daemon, "AES_256")
    wishes = {"wrapping_algorithm": "RSAES_OAEP_SHA_1"}
    told = ask(daemon, key, "get-parameters-for-import", **wishes).body
    good = wrapped(tmp_path, told, os.urandom(32))
    token, other = told["import_token"], b64(os.urandom(600))
    for kind, body in (
        ("invalid-ciphertext", {"import_token": token, "encrypted_material": wrapped(tmp_path, told, os.urandom(24))}),
        ("invalid-ciphertext", {"import_token": token, "encrypted_material": b64(os.urandom(256))}),
        ("invalid-ciphertext", {"import_token": other, "encrypted_material": good}),
        ("invalid-request", {"import_token": token, "encrypted_material": good, "expires_ms": 1}),
        ("invalid-request", {"import_token": "not base64!", "encrypted_material": good}),
        ("invalid-request", {"import_token": token, "encrypted_material": b64(bytes(9000))}),
    ):
        answer = ask(daemon, key, "import-material", **body)
        assert answer.kind == kind, answer.body
        assert answer.body["detail"].startswith("cannot ")
        found = daemon.events(request_id=answer.request_id)
        assert [event["outcome"] for event in found] == [kind]
    answer = ask(daemon, key, "get-parameters-for-import", wrapping_algorithm="RSAES_OAEP_SHA_256")
    assert answer.kind == "unsupported"
    assert daemon.call("GET", f"/v1/keys/{key}", tcp=True).body["state"] == "pending-import"


def test_the_material_is_nowhere_in_what_the_daemon_keeps(daemon: Daemon, tmp_path: Path) -> None:
    key, material = external(daemon, "AES_256"), os.urandom(32)
    assert bring(daemon, tmp_path, key, material, "RSA_AES_KEY_WRAP_SHA_1").status == 200
    assert ask(daemon, key, "encrypt", plaintext=b64(TEXT)).status == 200
    files = [path for path in daemon.state_dir.rglob("*") if path.is_file()]
    kept = b"".join(path.read_bytes() for path in [*files, daemon.log])
    assert key.encode() in kept, "the search finds what is there"
    assert [name for name, shape in forms(material).items() if shape in kept] == []
