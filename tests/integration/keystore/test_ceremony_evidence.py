"""What the operator keeps of a root: the wrap that brings it back, and evidence of what its keys are."""

import base64
import json
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding, aes_key_wrap_with_padding

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.domain.key_specs import KeySpec, KeyUsage
from secretsd.domain.root_keys import check_bytes
from secretsd.testing.keystore_suite import metadata
from secretsd.testing.softhsm import SoftHSM

from .ceremonies import OAEP, ceremony, public_pem, rotate

pytestmark = pytest.mark.integration


def opened(operator: rsa.RSAPrivateKey, recovery: dict[str, Any]) -> tuple[bytes, bytes]:
    kek, mac_key = (operator.decrypt(base64.b64decode(recovery[name]), OAEP) for name in ("kek", "mac_key"))
    return kek, mac_key


def check_of(kek: bytes, mac_key: bytes, recovery: dict[str, Any]) -> str:
    mac = HMAC(mac_key, hashes.SHA256())
    wrapped = aes_key_wrap_with_padding(kek, bytes(32))
    mac.update(check_bytes(recovery["kek_id"], recovery["generation"], wrapped))
    return mac.finalize()[:16].hex()


async def test_each_generation_has_its_recovery_wrap(
    root: SoftHSM, client: ProcessKeyStore, operator: rsa.RSAPrivateKey
) -> None:
    made = rotate(root, recovery_public_key=public_pem(operator), refuse_recovery=False)
    await client.status()
    key = await client.generate_key(metadata())
    recovery = made["recovery"]
    kek, mac_key = opened(operator, recovery)
    assert len(aes_key_unwrap_with_padding(kek, key.blob)) == 32
    assert recovery["check"] == made["check"] == check_of(kek, mac_key, recovery)
    first = root.initialised["recovery"]
    assert first["check"] == root.initialised["check"] == check_of(*opened(operator, first), first)
    assert ceremony(root, "roots")["checks"] == {first["kek_id"]: first["check"], recovery["kek_id"]: made["check"]}
    kept = json.loads((root.data_dir / "recovery-2.json").read_text())
    assert kept == recovery
    sealed = json.loads(base64.b64decode(recovery["storage_key"]))
    assert sealed["key"]["kek_id"] == recovery["kek_id"]
    blob = base64.b64decode(sealed["key"]["blob"])
    assert len(aes_key_unwrap_with_padding(kek, blob)) == 32


def test_the_evidence_tells_what_the_keys_are_and_who_says_so(root: SoftHSM, operator: rsa.RSAPrivateKey) -> None:
    told = ceremony(root, "attest")
    evidence = told["evidence"]
    data = json.dumps(evidence, sort_keys=True, separators=(",", ":")).encode()
    public_key = serialization.load_pem_public_key(told["public_key"].encode())
    assert isinstance(public_key, ec.EllipticCurvePublicKey)
    public_key.verify(base64.b64decode(told["signature"]), data, ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        public_key.verify(base64.b64decode(told["signature"]), data + b" ", ec.ECDSA(hashes.SHA256()))
    _, mac_key = opened(operator, root.initialised["recovery"])
    mac = HMAC(mac_key, hashes.SHA256())
    mac.update(b"secretsd attestation 1\0" + data)
    mac.verify(base64.b64decode(told["hmac"]))

    (only,) = evidence["roots"]
    assert only["kek_id"] == told["root"] == root.initialised["kek_id"]
    assert only["check"] == root.initialised["check"]
    for key in (only["kek"], only["mac_key"], *(part for one in evidence["samples"].values() for part in parts(one))):
        assert key["sensitive"]
        assert key["material_shown"] == []
        assert key["modifiable"] is False
        assert key["wrap_with_trusted"] or not key["extractable"]
    assert only["kek"]["trusted"]
    assert (only["kek"]["wrap"], only["kek"]["decrypt"]) == (True, False)
    assert set(evidence["samples"]) == {
        f"{spec.value} {usage.value}"
        for spec, usage in (
            (KeySpec.AES_256, KeyUsage.ENCRYPT_DECRYPT),
            (KeySpec.RSA_2048, KeyUsage.ENCRYPT_DECRYPT),
            (KeySpec.RSA_2048, KeyUsage.SIGN_VERIFY),
            (KeySpec.ECC_NIST_P256, KeyUsage.SIGN_VERIFY),
            (KeySpec.ECC_NIST_EDWARDS25519, KeyUsage.SIGN_VERIFY),
            (KeySpec.HMAC_256, KeyUsage.GENERATE_VERIFY_MAC),
        )
    }
    assert "AES_GCM" in evidence["mechanisms"]
    assert len(evidence["token"]["serial"]) == 16


def parts(sample: dict[str, Any]) -> list[dict[str, Any]]:
    loaded = sample["loaded"]
    return loaded if isinstance(loaded, list) else [loaded]


def test_all_evidence_of_a_token_is_signed_by_one_key(root: SoftHSM) -> None:
    first, second = ceremony(root, "attest"), ceremony(root, "attest")
    assert first["public_key"] == second["public_key"]
    assert first["signature"] != second["signature"]
