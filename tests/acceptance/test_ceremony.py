"""`secretsd hsm` as an operator meets it: a root made, proved, renewed under a serving daemon, destroyed, recovered."""

import base64
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from secretsd.testing.daemon import Answered

from .hsm_hosts import COMMAND, Host, Receiving, done, hsm

pytestmark = [pytest.mark.acceptance, pytest.mark.needs_root]


@pytest.fixture
def operator(passable_path: Path) -> tuple[Path, Path]:
    """The operator's key pair: private and public file."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    private, public = passable_path / "operator.pem", passable_path / "operator.pub.pem"
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    private.chmod(0o600)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public.write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, form))
    return private, public


@pytest.fixture
def host(passable_path: Path, operator: tuple[Path, Path]) -> Host:
    """A host whose root was made by `secretsd hsm init`, and its first account by `secretsd init`."""
    made = Host(passable_path / "host")
    output = made.directory / "recovery.json"
    told = done(made.run("init", "--recovery-public-key", str(operator[1]), "--output", str(output)))
    assert "made generation 1 of the root; check value" in told
    made.keep_so_pin(output)
    ran = subprocess.run([*COMMAND, "init", "--config", str(made.config)], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return made


def roots_of(call: Callable[..., Answered]) -> dict[int, Any]:
    answer = call("GET", "/v1/root-keys")
    assert answer.status == 200, answer.body
    return {root["generation"]: root for root in answer.body["roots"]}


def await_moved(call: Callable[..., Answered]) -> None:
    """Wait, bounded, until nothing is wrapped by the first generation any more."""
    deadline = time.monotonic() + 60
    while roots_of(call)[1].get("key_versions") != 0:
        assert time.monotonic() < deadline, roots_of(call)
        time.sleep(0.1)


def test_a_root_is_renewed_while_the_daemon_serves_and_the_old_one_is_destroyed(
    host: Host, operator: tuple[Path, Path]
) -> None:
    with host.serving() as call:
        assert call("POST", "/v1/secrets", {"name": "db", "text": "the value"}).status == 200
        key = call("POST", "/v1/keys", {}).body["id"]
        assert call("POST", "/v1/keys", {"spec": "ECC_NIST_P256"}).status == 200
        refused = host.run("destroy-root", "1", "--yes")
        assert refused.returncode == 78
        assert "it is the one that wraps now" in refused.stderr

        output = host.directory / "next.json"
        told = done(
            host.run("rotate-root", "--recovery-public-key", str(operator[1]), "--output", str(output), so=True)
        )
        assert "made generation 2 of the root" in told
        await_moved(call)
        assert call("GET", "/v1/secrets/db:value").body["text"] == "the value"
        moved = [event for event in events(call, "RewrapKeyVersion") if key in event["resource"]]
        assert len(moved) == 1
        status = done(host.run("status"))
        assert re.search(r"generation 1 .* opens what it wrapped", status)
        assert "  0 stored key versions are still wrapped by it" in status
        assert re.search(r"generation 2 .* wraps", status)

        told = done(host.run("destroy-root", "1", "--yes"))
        assert "destroyed generation 1 at" in told
        assert "erased from all backups from now on" in told
        assert call("GET", "/v1/secrets/db:value").body["text"] == "the value"
        assert roots_of(call)[1]["destroyed_ms"] > 0
    with host.serving() as call:
        assert call("GET", "/v1/secrets/db:value").body["text"] == "the value"
        assert roots_of(call).keys() == {1, 2}
    done(hsm("check-recovery", "--recovery", str(output), "--private-key", str(operator[0])))


def events(call: Callable[..., Answered], operation: str) -> list[dict[str, Any]]:
    found = call("GET", "/v1/events", query={"limit": 1000, "operation": operation})
    assert found.status == 200, found.body
    return [event for event in found.body["events"] if event["operation"] == operation]


def test_a_root_is_not_destroyed_while_nobody_knows_what_it_wraps(host: Host) -> None:
    refused = host.run("destroy-root", "1", "--yes")
    assert refused.returncode == 78
    assert "the daemon does not answer" in refused.stderr


def test_evidence_is_taken_and_checked_without_an_hsm(host: Host) -> None:
    evidence = host.directory / "evidence.json"
    assert "signed by the token's key" in done(host.run("attest", "--output", str(evidence)))
    assert "signed by the key" in done(hsm("verify-evidence", str(evidence)))
    document = json.loads(evidence.read_text())
    document["evidence"]["roots"][0]["kek"]["sensitive"] = False
    evidence.write_text(json.dumps(document))
    refused = hsm("verify-evidence", str(evidence))
    assert refused.returncode == 78
    assert "its signature is not that key's" in refused.stderr
    evidence.write_text("{}")
    assert hsm("verify-evidence", str(evidence)).returncode == 78


def test_the_recovery_drill(host: Host, operator: tuple[Path, Path], passable_path: Path) -> None:
    recovery = str(host.directory / "recovery.json")
    told = done(hsm("check-recovery", "--recovery", recovery, "--private-key", str(operator[0])))
    assert "generation 1 of the root opens" in told
    assert "the storage key opens under it" in told
    check = re.search("check value ([0-9a-f]{32})", told)
    assert check is not None
    assert check[1] in done(host.run("status"))
    with operator[0].open("rb") as key:
        done(hsm("check-recovery", "--recovery", recovery, "--private-key-fd", str(key.fileno()), fds=(key.fileno(),)))

    document = json.loads((host.directory / "recovery.json").read_text())
    for name, value, reason in (
        ("generation", 2, "not the root that it names, by its check value"),
        ("storage_key", base64.b64encode(b"{}").decode(), "cannot open the storage key"),
        ("mac_key", document["recovery"]["kek"], "not the root that it names, by its check value"),
        ("kek", "AAAA", "wrapped for another key, or was changed"),
        ("mechanism", "RSA-PKCS1", "of a later release"),
    ):
        spoiled = passable_path / "spoiled.json"
        spoiled.write_text(json.dumps(document | {"recovery": document["recovery"] | {name: value}}))
        refused = hsm("check-recovery", "--recovery", str(spoiled), "--private-key", str(operator[0]))
        assert (refused.returncode, refused.stdout) == (78, "")
        assert reason in refused.stderr

    other = passable_path / "other.pem"
    made = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    other.write_bytes(made.private_bytes(*form))
    refused = hsm("check-recovery", "--recovery", recovery, "--private-key", str(other))
    assert (refused.returncode, refused.stdout) == (78, "")
    assert "it is wrapped for another key, or was changed" in refused.stderr
    other.with_suffix(".json").write_text('{"recovery": null}')
    refused = hsm("check-recovery", "--recovery", str(other.with_suffix(".json")), "--private-key", str(other))
    assert "it holds no recovery wrap" in refused.stderr
    assert "no JSON object" in hsm("check-recovery", "--recovery", str(other), "--private-key", str(other)).stderr


def test_pins_come_from_descriptors_too(host: Host) -> None:
    with host.pin.open("rb") as pin, host.so_pin.open("rb") as so_pin:
        fds = (pin.fileno(), so_pin.fileno())
        arguments = ("--config", str(host.config), "--pin-fd", str(fds[0]), "--so-pin-fd", str(fds[1]))
        told = done(hsm("rotate-root", *arguments, "--no-recovery", "--hold", fds=fds))
    assert "held: it wraps nothing until secretsd hsm use-root" in told
    assert "held" in done(host.run("status"))
    done(host.run("use-root", "2"))
    assert re.search(r"generation 2 .* wraps", done(host.run("status")))


def check_in(text: str) -> str:
    found = re.search("check value ([0-9a-f]{32})", text)
    assert found is not None, text
    return found[1]


def test_a_lost_host_comes_back_from_recovery_wrap_and_storage(
    host: Host, operator: tuple[Path, Path], passable_path: Path
) -> None:
    with host.serving() as call:
        assert call("POST", "/v1/secrets", {"name": "db", "text": "the value"}).status == 200
    new = Host(passable_path / "new")
    waiting = Receiving(new)
    wrapped = passable_path / "wrapped.json"
    recovery = str(host.directory / "recovery.json")
    told = done(
        hsm(
            "open-recovery", "--recovery", recovery, "--private-key", str(operator[0]),
            "--to", str(waiting.key), "--output", str(wrapped),
        )
    )  # fmt: skip
    assert re.search("the key ([0-9a-f]{4} ?){8}", told)[0] in waiting.told  # type: ignore[index]  # or the test fails
    assert check_in(waiting.finish(wrapped)) == check_in(told)
    shutil.rmtree(new.directory / "state" / "storage")
    shutil.copytree(host.directory / "state" / "storage", new.directory / "state" / "storage")
    for path in (new.directory / "state" / "storage", *(new.directory / "state" / "storage").rglob("*")):
        os.chown(path, 61701, 61701)
    shutil.rmtree(host.directory / "state")  # nothing of the old host is needed
    ran = subprocess.run([*COMMAND, "init", "--config", str(new.config)], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    with new.serving() as call:
        assert call("GET", "/v1/secrets/db:value").body["text"] == "the value"


def test_a_root_moves_to_a_second_host(host: Host, passable_path: Path) -> None:
    second = Host(passable_path / "second")
    waiting = Receiving(second)
    sent = passable_path / "sent.json"
    told = done(host.run("send-root", "--to", str(waiting.key), "--output", str(sent), so=True))
    arrived = waiting.finish(sent)
    assert check_in(arrived) == check_in(told)
    second.keep_so_pin(waiting.output)
    assert not waiting.key.exists()
    assert check_in(done(second.run("status"))) == check_in(done(host.run("status")))


def test_a_root_that_does_not_come_leaves_nothing_behind(passable_path: Path) -> None:
    """What was begun of a token in memory goes too."""
    host = Host(passable_path / "host")
    before = staged()
    files = ("--key-output", str(host.directory / "key"), "--document", str(host.directory / "root.json"))
    refused = host.run("receive-root", *files, "--output", str(host.directory / "out"), "--wait-seconds", "0.5")
    assert refused.returncode == 78
    assert "did not come within 0.5 s" in refused.stderr
    assert staged() == before
    assert not (host.directory / "key").exists()
    assert not (host.directory / "out").exists()
    assert not list((host.directory / "state" / "keystore" / "tokens").iterdir())


def staged() -> set[str]:
    """Tokens that are being made in memory by the key store of these hosts."""
    return {path.name for path in Path("/dev/shm").glob("secretsd-token-*") if path.stat().st_uid == 61702}


def test_no_pin_is_taken_from_arguments_or_environment(host: Host) -> None:
    told = done(hsm("rotate-root", "--help"))
    assert "--so-pin-fd" in told
    assert not re.search(r"--(so-)?pin\b(?!-)", told)
    wrong = host.directory / "wrong"
    wrong.write_text("not the SO PIN")
    wrong.chmod(0o644)
    arguments = ("--no-recovery", "--so-pin-file", str(wrong))
    assert "it is not a file of mode 0600 or less" in host.run("rotate-root", *arguments).stderr
    wrong.chmod(0o600)
    refused = host.run("rotate-root", *arguments)
    assert refused.returncode == 78
    assert "it refuses the SO PIN" in refused.stderr
    assert "not the SO PIN" not in refused.stderr + refused.stdout


@pytest.mark.parametrize("command", ["init", "rotate-root"])
def test_a_root_without_a_word_on_recovery_is_not_made(passable_path: Path, command: str) -> None:
    host = Host(passable_path / "host")
    refused = host.run(command)
    assert refused.returncode == 78
    assert "give either --recovery-public-key FILE or --no-recovery" in refused.stderr
    assert not (host.directory / "state").exists()
