"""The HSM as an operator meets it: what `secretsd check --hsm` tells, and a module that hangs under a real daemon."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from secretsd.testing.daemon import Answered, running
from secretsd.testing.softhsm import softhsm_module

COMMAND = (sys.executable, "-I", "-m", "secretsd.cli.daemon")
SHIM = Path(__file__).parents[1] / "integration/keystore/fault_shim.c"
AES_GCM, SHA256_HMAC = 0x1087, 0x251
pytestmark = [pytest.mark.acceptance, pytest.mark.needs_root]


def secretsd(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60)


class ShimmedModule:
    """SoftHSM2 behind the shim of the integration tests, under SoftHSM2's own name, readable for the daemon's users."""

    def __init__(self, place: Path) -> None:
        place.mkdir(mode=0o755)
        self.path, self._control, self._trace = place / "libsofthsm2.so", place / "control", place / "trace"
        command = ["cc", "-shared", "-fPIC", "-O1", "-I/usr/include/p11-kit-1", "-o", str(self.path), str(SHIM), "-ldl"]
        subprocess.run(command, check=True)
        self._trace.touch()
        self._trace.chmod(0o666)
        self.fail()

    @property
    def settings(self) -> dict[str, Any]:
        """Of the key store, in secretsd.yaml."""
        environment = {
            "FAULT_SHIM_MODULE": softhsm_module(),
            "FAULT_SHIM_CONTROL": str(self._control),
            "FAULT_SHIM_TRACE": str(self._trace),
        }
        return {"module": str(self.path), "environment": environment}

    def fail(self, *faults: str) -> None:
        """From now on, so; without arguments never again."""
        beside = self._control.with_suffix(".new")
        beside.write_text("".join(f"{fault}\n" for fault in faults))
        beside.rename(self._control)

    def waits_in(self, function: str) -> bool:
        """Whether it has begun to hang there."""
        return function in self._trace.read_text().splitlines()


@pytest.fixture
def module(passable_path: Path) -> ShimmedModule:
    return ShimmedModule(passable_path / "module")


@pytest.fixture
def config(passable_path: Path, module: ShimmedModule) -> Path:
    """An initialised daemon of an operator's, on the module behind the shim."""
    pin = passable_path / "pin"
    pin.write_text("an operator's own PIN\n")
    pin.chmod(0o600)
    document: dict[str, Any] = {
        "state_dir": str(passable_path / "state"),
        "runtime_dir": str(passable_path / "run"),
        "unix": {"path": str(passable_path / "api.sock")},
        "keystore": {"pin_file": str(pin), **module.settings},
        "users": {"worker": "61701", "keystore": "61702", "rotator": "61703"},
    }
    path = passable_path / "secretsd.yaml"
    path.write_text(yaml.safe_dump(document))
    out = str(passable_path / "out.json")
    made = secretsd("init", "--config", str(path), "--no-recovery", "--output", out)
    assert made.returncode == 0, made.stderr
    return path


def abilities(config: Path) -> dict[tuple[str, str, str], dict[str, Any]]:
    """What `check --hsm -o json` says, by spec, usage and algorithm."""
    found = secretsd("check", "--config", str(config), "--hsm", "-o", "json")
    assert (found.returncode, found.stderr) == (0, "")
    document = json.loads(found.stdout)
    assert document["usable"]
    assert document["token"] == "secretsd"
    assert "PKCS11" in document["module"]
    return {(one["spec"], one["usage"], one["algorithm"]): one for one in document["abilities"]}


def test_check_tells_what_the_hsm_can_do_and_why_not(config: Path) -> None:
    found = abilities(config)
    aes = found["AES_256", "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT"]
    assert (aes["suite"], aes["protection_level"], aes["reason"]) == ("1: AES-256-GCM", "HSM", "")
    assert found["RSA_2048", "ENCRYPT_DECRYPT", "RSAES_OAEP_SHA_256"]["reason"] == "offers no RSA-OAEP-SHA-256"
    assert found["RSA_2048", "ENCRYPT_DECRYPT", "RSAES_OAEP_SHA_1"]["reason"] == ""
    assert found["", "IMPORT", "RSA_AES_KEY_WRAP_SHA_256"]["reason"] == "offers no RSA-OAEP-SHA-256"


def test_check_shows_it_as_a_table_too(config: Path) -> None:
    found = secretsd("check", "--config", str(config), "--hsm")
    assert (found.returncode, found.stderr) == (0, "")
    lines = [line.split() for line in found.stdout.splitlines()]
    assert ["AES_256", "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", "yes", "1:", "AES-256-GCM", "HSM"] in lines
    refusal = "RSA_4096 ENCRYPT_DECRYPT RSAES_OAEP_SHA_256 no this HSM offers no RSA-OAEP-SHA-256"
    assert refusal.split() in lines
    assert lines[-1] == ["all", "is", "well"]


def test_check_tells_the_suite_of_a_module_without_gcm(config: Path, module: ShimmedModule) -> None:
    module.fail(f"C_GetMechanismList hide {AES_GCM:#x} -1", f"* refuse {AES_GCM:#x} -1")
    found = abilities(config)
    assert found["AES_256", "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT"]["suite"] == "2: AES-256-CBC-HMAC-SHA-256"
    assert "without it no cipher for AES_128" in found["AES_128", "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT"]["reason"]


def test_check_says_why_a_module_is_refused(config: Path, module: ShimmedModule) -> None:
    module.fail(f"C_GetMechanismList hide {SHA256_HMAC:#x} -1")
    found = secretsd("check", "--config", str(config), "--hsm")
    assert found.returncode == 1
    assert "cannot compute HMAC-SHA-256" in found.stderr
    assert "all is well" not in found.stdout
    told = json.loads(secretsd("check", "--config", str(config), "--hsm", "-o", "json").stdout)
    assert (told["usable"], told["abilities"]) == (False, [])


def until(what: Callable[[], bool]) -> None:
    """Wait for another process, which tells nobody; fails after half a minute."""
    deadline = time.monotonic() + 30
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_module_that_hangs_costs_one_restart_of_its_process(passable_path: Path, module: ShimmedModule) -> None:
    with running(passable_path / "state", settings={"keystore": module.settings}) as daemon:
        assert daemon.call("POST", "/v1/secrets", {"name": "before", "text": "a value"}).status == 200
        (before,) = daemon.children("keystore")
        module.fail(f"C_EncryptInit delay {600_000:#x} 1")
        answers: list[Answered] = []
        new = {"name": "meanwhile", "text": "a value"}
        caller = threading.Thread(target=lambda: answers.append(daemon.call("POST", "/v1/secrets", new)))
        caller.start()
        until(lambda: module.waits_in("C_EncryptInit"))
        module.fail()
        caller.join(30)
        until(lambda: daemon.children("keystore") not in ([], [before]))
        assert answers[0].status == 200 or answers[0].kind == "keystore-unavailable"
        until(lambda: daemon.call("POST", "/v1/secrets", {"name": "after", "text": "a value"}).status == 200)
        assert daemon.call("GET", "/v1/secrets/before:value").body["text"] == "a value"
