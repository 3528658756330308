"""Keys at work over HTTP, in a daemon on SoftHSM2: everything that is encrypted, signed and refused, and its trace."""

import base64
import contextlib
import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from secretsd.testing.daemon import Daemon
from tests.acceptance.wire import daemon_in_passable_place

pytestmark = pytest.mark.acceptance
TEXT = b"correct horse battery staple"
CONTEXT = {"service": "shop"}


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with daemon_in_passable_place(workers=2) as daemon:
        yield daemon


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def raw(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


@pytest.fixture(scope="module")
def do(daemon: Daemon) -> Any:
    """Ask, over a new connection each time, so that either worker may answer."""

    def ask(path: str, body: dict[str, Any], **more: Any) -> dict[str, Any]:
        answer = daemon.call("POST", path, body, tcp=True, **more)
        assert answer.status == 200, answer.body
        done: dict[str, Any] = answer.body
        return done

    return ask


@pytest.fixture(scope="module")
def key(do: Any) -> str:
    return str(do("/v1/keys", {"spec": "AES_256"})["id"])


def test_what_one_worker_encrypts_the_other_decrypts(do: Any, key: str) -> None:
    for _ in range(8):
        made = do(f"/v1/keys/{key}:encrypt", {"plaintext": b64(TEXT), "context": CONTEXT})
        opened = do("/v1/ciphertexts:decrypt", {"ciphertext": made["ciphertext"], "context": CONTEXT})
        assert (raw(opened["plaintext"]), opened["key_id"], opened["key_version"]) == (TEXT, key, 1)


def test_data_keys_and_pairs(do: Any, key: str) -> None:
    made = do(f"/v1/keys/{key}:generate-data-key", {"spec": "AES_256", "context": CONTEXT})
    opened = do("/v1/ciphertexts:decrypt", {"ciphertext": made["ciphertext"], "context": CONTEXT})
    assert opened["plaintext"] == made["plaintext"]
    assert len(raw(made["plaintext"])) == 32
    assert set(do(f"/v1/keys/{key}:generate-data-key-without-plaintext", {})) == {"key_id", "key_version", "ciphertext"}
    pair = do(f"/v1/keys/{key}:generate-data-key-pair", {"key_pair_spec": "RSA_2048"})
    private = serialization.load_der_private_key(raw(pair["private_key_plaintext"]), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    exported = do("/v1/ciphertexts:export-data-key", {
        "ciphertext": made["ciphertext"], "context": CONTEXT, "public_key": pair["public_key"],
    })  # fmt: skip
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    assert private.decrypt(raw(exported["exported_data_key"]), oaep) == raw(made["plaintext"])


def test_signatures_verify_here_and_on_the_command_line(daemon: Daemon, do: Any, tmp_path: Path) -> None:
    signer = do("/v1/keys", {"spec": "ECC_NIST_P256"})["id"]
    signed = do(f"/v1/keys/{signer}:sign", {"message": b64(TEXT)})
    body = {"message": b64(hashlib.sha256(TEXT).digest()), "message_type": "DIGEST", "signature": signed["signature"]}
    assert do(f"/v1/keys/{signer}:verify", body)["valid"] is True
    assert do(f"/v1/keys/{signer}:verify", {**body, "message": b64(bytes(32))})["valid"] is False
    # The same signature by OpenSSL, with the public key that anybody may have.
    public = serialization.load_der_public_key(
        raw(daemon.call("GET", f"/v1/keys/{signer}:public-key").body["public_key"])
    )
    (tmp_path / "key").write_bytes(
        public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    (tmp_path / "signature").write_bytes(raw(signed["signature"]))
    (tmp_path / "text").write_bytes(TEXT)
    command = ["openssl", "dgst", "-sha256", "-verify", "key", "-signature", "signature", "text"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout == b"Verified OK\n"


def test_macs(do: Any) -> None:
    key = do("/v1/keys", {"spec": "HMAC_512"})["id"]
    made = do(f"/v1/keys/{key}:generate-mac", {"message": b64(TEXT)})
    assert do(f"/v1/keys/{key}:verify-mac", {"message": b64(TEXT), "mac": made["mac"]})["valid"] is True
    assert do(f"/v1/keys/{key}:verify-mac", {"message": b64(b"other"), "mac": made["mac"]})["valid"] is False


def test_oaep_as_far_as_this_hsm_has_it(daemon: Daemon, do: Any) -> None:
    key = do("/v1/keys", {"spec": "RSA_2048", "usage": "ENCRYPT_DECRYPT"})["id"]
    body = {"plaintext": b64(TEXT), "algorithm": "RSAES_OAEP_SHA_1"}
    made = do(f"/v1/keys/{key}:encrypt", body)
    opened = do("/v1/ciphertexts:decrypt", {
        "key": key, "algorithm": "RSAES_OAEP_SHA_1", "ciphertext": made["ciphertext"],
    })  # fmt: skip
    assert raw(opened["plaintext"]) == TEXT
    refused = daemon.call("POST", f"/v1/keys/{key}:encrypt", {**body, "algorithm": "RSAES_OAEP_SHA_256"})
    assert (refused.kind, "this HSM offers no RSA-OAEP-SHA-256" in refused.body["detail"]) == ("unsupported", True)


def test_random_bytes(do: Any) -> None:
    assert len(raw(do("/v1/random", {"number_of_bytes": 1000})["plaintext"])) == 1000


def test_every_changed_byte_is_one_error_and_one_event(daemon: Daemon, do: Any, key: str) -> None:
    made = raw(do(f"/v1/keys/{key}:encrypt", {"plaintext": b64(TEXT), "context": CONTEXT})["ciphertext"])
    answers = set()
    ids = []
    with contextlib.closing(daemon.connect(tcp=True)) as connection:
        for place in range(len(made)):
            changed = bytearray(made)
            changed[place] ^= 1
            body = {"ciphertext": b64(bytes(changed)), "context": CONTEXT}
            answer = daemon.call("POST", "/v1/ciphertexts:decrypt", body, tcp=True, connection=connection)
            answers.add((answer.status, answer.kind, answer.body["detail"]))
            ids.append(answer.body["request_id"])
    assert answers == {(400, "invalid-ciphertext", "cannot open the ciphertext")}
    recorded = [one for one in daemon.events() if one["id"] in set(ids)]
    assert sorted(one["id"] for one in recorded) == sorted(ids)
    assert {(one["operation"], one["outcome"]) for one in recorded} == {("Decrypt", "invalid-ciphertext")}
    assert "ERROR" not in daemon.log.read_text()


@pytest.mark.parametrize(
    "body",
    [
        {"ciphertext": b64(bytes(8191)), "context": CONTEXT},
        {"ciphertext": "", "context": CONTEXT},
        {"ciphertext": "not base64", "context": CONTEXT},
        {"context": CONTEXT},
        {"ciphertext": b64(bytes(60)), "context": {"a": 1}},
        {"ciphertext": b64(bytes(60)), "context": {str(number): "" for number in range(65)}},
        {"ciphertext": b64(bytes(60)), "key": "alias/"},
        {"ciphertext": b64(bytes(60)), "unknown": 1},
    ],
)
def test_what_cannot_be_a_request_is_refused_as_one(daemon: Daemon, body: dict[str, Any]) -> None:
    answer = daemon.call("POST", "/v1/ciphertexts:decrypt", body)
    assert (answer.status, answer.kind) == (400, "invalid-request")
    assert [one["outcome"] for one in daemon.events() if one["id"] == answer.body["request_id"]] == ["invalid-request"]
