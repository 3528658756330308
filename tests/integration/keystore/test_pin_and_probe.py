"""Before it serves: a refused PIN is never tried again, a module that would leak or lie is refused."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.domain.errors import KeyStoreUnavailable
from secretsd.testing.softhsm import KeyStoreProcess, SoftHSM, run_once

from .conftest import Shim, without

pytestmark = pytest.mark.integration
CONFIGURATION_FAULT = 78
AES_GCM, AES_CBC_PAD, SHA256_HMAC, KWP, KWP_OLD = 0x1087, 0x1085, 0x251, 0x210B, 0x210A
SENSITIVE, EXTRACTABLE, WRAP_WITH_TRUSTED, PRIVATE, MODIFIABLE, TRUSTED = 0x103, 0x162, 0x210, 0x2, 0x170, 0x86
WRONG = "a-wrong-pin-of-somebody"


@pytest.fixture
def own_token(tmp_path: Path, module_shim: Shim) -> Iterator[SoftHSM]:
    yield SoftHSM.create(tmp_path, module=str(module_shim.path), environment=module_shim.environment)
    module_shim.fail()


def start(token: SoftHSM, **more: Any) -> tuple[int, str]:
    """Status and last words of a process that does not get to serve."""
    process = KeyStoreProcess(token, **more)
    try:
        process.spawn()
        assert not process.heard(b"R")
        return process.wait(), process.log()
    finally:
        process.close()


def test_a_refused_pin_is_tried_once_and_a_changed_one_once_more(own_token: SoftHSM, module_shim: Shim) -> None:
    tries = module_shim.logins()
    for _ in range(3):
        status, log = start(own_token, pin=WRONG)
        assert status == CONFIGURATION_FAULT
        assert "cannot log in to the token" in log
        assert WRONG not in log
    assert module_shim.logins() == tries + 1

    latch = own_token.data_dir / "pin-refused"
    assert stat.S_IMODE(latch.stat().st_mode) == 0o600
    assert WRONG.encode() not in latch.read_bytes()

    for _ in range(2):
        assert start(own_token, pin="another-wrong-pin")[0] == CONFIGURATION_FAULT
    assert module_shim.logins() == tries + 2

    with KeyStoreProcess(own_token):
        assert not latch.exists(), "the right PIN opens the latch"


async def test_a_pin_that_stops_working_ends_the_process_for_good(own_token: SoftHSM, module_shim: Shim) -> None:
    """It was changed while the process ran, and the login was lost: another try with it would be a wasted one."""
    with KeyStoreProcess(own_token) as process:
        keystore = ProcessKeyStore(process.path, deadline_seconds=2)
        await keystore.random(1)
        tries = module_shim.logins()
        module_shim.fail("C_GenerateRandom close-all 0 1", "C_Login return 0xa0 1")
        with pytest.raises(KeyStoreUnavailable):
            await keystore.random(1)
        assert process.wait() == CONFIGURATION_FAULT
        assert "it refuses the PIN" in process.log()
        assert module_shim.logins() == tries + 1
        await keystore.close()


@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        (without(AES_GCM, AES_CBC_PAD), "it has neither AES-GCM nor AES-CBC with padding"),
        ([f"* refuse {AES_GCM:#x} -1", f"* refuse {AES_CBC_PAD:#x} -1"], "it does neither AES-GCM nor AES-CBC"),
        ([f"C_GetMechanismList hide {SHA256_HMAC:#x} -1"], "cannot compute HMAC-SHA-256"),
        ([f"C_GetMechanismList hide {KWP_OLD:#x} -1"], "cannot wrap keys as in RFC 5649"),
        (["C_Encrypt garble 0 -1"], "AES-GCM gives a wrong answer"),
        ([*without(AES_GCM), "C_Encrypt garble 0 -1"], "AES-CBC gives a wrong answer"),
        (["C_Sign garble 0 -1"], "HMAC-SHA-256 gives a wrong answer"),
        (["C_WrapKey garble 0 -1"], "not that of RFC 5649"),
        ([f"C_GetAttributeValue flip {SENSITIVE:#x} -1"], "SENSITIVE=False"),
        ([f"C_GetAttributeValue flip {EXTRACTABLE:#x} -1"], "EXTRACTABLE=False"),
        ([f"C_GetAttributeValue flip {WRAP_WITH_TRUSTED:#x} -1"], "WRAP_WITH_TRUSTED=False"),
        ([f"C_GetAttributeValue flip {PRIVATE:#x} -1"], "PRIVATE=False"),
        ([f"C_GetAttributeValue flip {TRUSTED:#x} -1"], "TRUSTED=False"),
        ([f"C_GetAttributeValue flip {MODIFIABLE:#x} -1"], "MODIFIABLE=True"),
        (["C_WrapKey permit 0 -1"], "a key that is not trusted can wrap a CMK"),
        (["C_CreateObject return 0x54 -1"], "the probe failed with FunctionNotSupported"),
    ],
)
def test_a_module_that_is_unable_or_dishonest_is_refused_with_the_reason(
    token: SoftHSM, shim: Shim, faults: list[str], reason: str
) -> None:
    shim.fail(*faults)
    status, output, _ = run_once(token.configuration("probe"))
    found = json.loads(output)
    assert status == 0
    assert not found["usable"]
    assert reason in found["reason"]
    assert found["reason"].startswith("cannot ")


def test_a_refused_module_does_not_serve(own_token: SoftHSM, module_shim: Shim) -> None:
    module_shim.fail(f"C_GetMechanismList hide {SHA256_HMAC:#x} -1")
    status, log = start(own_token)
    assert status == CONFIGURATION_FAULT
    assert "cannot compute HMAC-SHA-256" in log


@pytest.mark.parametrize(
    "change", [{"max_loaded_keys": 0}, {"pin": 5}, {"unknown": 1}, {"command": "export"}, {"allowed_uids": ["root"]}]
)
def test_a_wrong_configuration_is_refused_without_its_values(token: SoftHSM, shim: Shim, change: dict) -> None:
    status, output, errors = run_once({**token.configuration("serve"), **change})
    assert status == CONFIGURATION_FAULT
    assert output == ""
    assert errors.startswith("cannot read the configuration")
    assert token.pin not in errors
