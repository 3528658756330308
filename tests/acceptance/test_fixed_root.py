"""`secretsd hsm` on a module that wraps by no trusted keys: what cannot be done is said, and all else goes on."""

import json
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from .hsm_hosts import COMMAND, Host, done
from .test_hsm_at_work import ShimmedModule

pytestmark = [pytest.mark.acceptance, pytest.mark.needs_root]
UNTRUSTING = ("* unknown 0x86 -1", "* unknown 0x210 -1")  # CKA_TRUSTED, CKA_WRAP_WITH_TRUSTED


@pytest.fixture
def host(passable_path: Path) -> Host:
    """A host whose HSM has never heard of trusted keys."""
    module = ShimmedModule(passable_path / "module")
    module.fail(*UNTRUSTING)
    return Host(passable_path / "host", **module.settings)


def command(host: Host, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, arguments[0], "--config", str(host.config), *arguments[1:]],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_an_operator_is_told_and_the_daemon_serves(host: Host) -> None:
    public = host.directory / "operator.pub.pem"
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    public.write_bytes(rsa.generate_private_key(65537, 3072).public_key().public_bytes(*form))
    output = host.directory / "recovery.json"

    told = done(host.run("init", "--recovery-public-key", str(public), "--output", str(output)))
    assert "this HSM wraps by no trusted keys, so its root is for good" in told
    assert json.loads(output.read_text())["recovery"]["kek"]
    host.keep_so_pin(output)
    done(command(host, "init"))

    assert "can never be renewed: this HSM wraps by no trusted keys" in done(command(host, "check", "--hsm"))
    assert json.loads(done(command(host, "check", "--hsm", "-o", "json")))["renewable"] is False
    evidence = host.directory / "evidence.json"
    attested = host.run("attest", "--output", str(evidence))
    assert "root 1: it can never be renewed" in attested.stderr
    verified = subprocess.run(
        [*COMMAND, "hsm", "verify-evidence", str(evidence)], capture_output=True, text=True, check=False
    )
    assert verified.returncode == 0, "it is no problem, but it is said"
    assert "root 1: it can never be renewed" in verified.stderr

    with host.serving() as call:
        made = call("POST", "/v1/keys", {"description": "x"})
        assert made.status == 200, made.body
        status = done(host.run("status"))
        assert "wraps, and can never be renewed" in status
        refused = host.run("rotate-root", "--no-recovery", so=True)
        assert refused.returncode == 78
        assert "cannot make a new root: the module wraps by no trusted keys" in refused.stderr
        (root,) = call("GET", "/v1/root-keys").body["roots"]
        assert (root["generation"], root["wraps"]) == (1, True)
        used = call("POST", f"/v1/keys/{made.body['id']}:generate-data-key", {})
        assert used.status == 200, used.body
