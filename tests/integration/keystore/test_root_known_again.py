"""A root is known again by its check value, both its keys; and the file that tells it is not lost by one accident."""

import asyncio
import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.domain.errors import KeyStoreUnavailable
from secretsd.testing.keystore_suite import CONTEXT, TEXT, USE, metadata
from secretsd.testing.softhsm import KeyStoreProcess, SoftHSM, run_once

from .ceremonies import ceremony, rotate
from .conftest import Shim
from .test_fixed_root import UNTRUSTING

pytestmark = pytest.mark.integration
CONFIGURATION_FAULT = 78
NOT_OURS = "its root is not the one that was made here"

SWAP = """
import json, sys
module, label, pin = json.load(sys.stdin)
import pkcs11
from pkcs11 import Attribute as A, KeyType, ObjectClass
from secretsd.adapters.pkcs11 import attributes

token = pkcs11.lib(module).get_token(token_label=label)
session = token.open(rw=True, user_pin=pin, attribute_mapper=attributes.Mapper())
keys = session.get_objects({A.CLASS: ObjectClass.SECRET_KEY, A.TOKEN: True})
mac = next(key for key in keys if str(key[A.LABEL]).startswith("secretsd root mac"))
named = {A.ID: mac[A.ID], A.LABEL: str(mac[A.LABEL])}
mac.destroy()
session.create_object({A.CLASS: ObjectClass.SECRET_KEY, A.KEY_TYPE: KeyType.GENERIC_SECRET, A.VALUE: bytes(range(32)),
    A.TOKEN: True, A.SIGN: True, A.VERIFY: True, A.ENCRYPT: False, A.DECRYPT: False, A.WRAP: False, A.UNWRAP: False,
    **named, **attributes.MAC_KEY})
print("planted")
"""


def swap_mac_key(token: SoftHSM) -> None:
    """What somebody with the PIN can do: a MAC key of known value in place of the root's."""
    ran = subprocess.run(
        [sys.executable, "-I", "-c", SWAP],
        input=json.dumps([token.module, token.token_label, token.pin]),
        env={**token.environment, "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert ran.stdout == "planted\n", ran.stderr


def history(token: SoftHSM) -> Path:
    return token.data_dir / "root-history"


def copy(token: SoftHSM) -> Path:
    return token.data_dir / "root-history-copy"


def written(path: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(path.read_text())
    return found


def reason(token: SoftHSM) -> str:
    """Why the token cannot be used; empty where it can."""
    return str(ceremony(token, "probe")["reason"])


def forget_checks(token: SoftHSM) -> None:
    """As an earlier release left the file: a root that can be renewed had no check value there, and no copy."""
    roots = [{**root, "check": ""} for root in written(history(token))]
    history(token).write_text(json.dumps(roots))
    copy(token).unlink()


@pytest.fixture
def fixed(tmp_path: Path, shim: Shim) -> SoftHSM:
    """A token whose root cannot be renewed."""
    dataclasses.replace(shim, standing=UNTRUSTING).fail()
    return SoftHSM.create(tmp_path / "fixed", module=str(shim.path), environment=shim.environment)


def test_a_swapped_mac_key_is_refused_at_the_next_start(root: SoftHSM) -> None:
    assert reason(root) == ""
    swap_mac_key(root)
    assert NOT_OURS in reason(root)


async def test_a_swapped_mac_key_is_refused_when_the_token_is_opened_anew_while_we_serve(
    tmp_path: Path, shim: Shim
) -> None:
    token = SoftHSM.create(tmp_path / "own", module=str(shim.path), environment=shim.environment)
    with KeyStoreProcess(token) as serving:
        keystore = ProcessKeyStore(serving.path, deadline_seconds=5)
        key = await keystore.generate_key(metadata())
        swap_mac_key(token)
        shim.fail("C_EncryptInit close-all 0 1")
        with pytest.raises(KeyStoreUnavailable):
            await keystore.encrypt(key, USE, TEXT, CONTEXT)
        await keystore.close()
        assert serving.wait() == CONFIGURATION_FAULT
        assert NOT_OURS in serving.log()


def test_every_generation_that_a_ceremony_makes_is_written_down_with_its_check_value(root: SoftHSM) -> None:
    made = [root.initialised["check"], rotate(root)["check"]]
    assert [one["check"] for one in written(history(root))] == made
    assert copy(root).read_bytes() == history(root).read_bytes()


def test_a_root_of_an_earlier_release_is_written_down_once_it_has_proved_itself(
    root: SoftHSM, serving: KeyStoreProcess
) -> None:
    before = history(root).read_text()
    serving.kill()
    forget_checks(root)
    assert reason(root) == ""
    assert written(history(root))[0]["check"] == "", "a probe only looks"
    serving.start()
    assert history(root).read_text() == copy(root).read_text() == before
    serving.kill()
    swap_mac_key(root)
    assert NOT_OURS in reason(root)


def test_a_root_that_nobody_wrote_down_is_from_its_first_start_on(root: SoftHSM, serving: KeyStoreProcess) -> None:
    """Made by another node on the same token, for one."""
    serving.kill()
    history(root).unlink()
    copy(root).unlink()
    serving.start()
    (found,) = written(history(root))
    assert (found["kek_id"], found["check"]) == (root.initialised["kek_id"], root.initialised["check"])


@pytest.mark.parametrize("what", ["missing", "torn", "empty"])
def test_the_copy_stands_in_for_a_history_that_is_lost_and_puts_it_back(fixed: SoftHSM, what: str) -> None:
    before = history(fixed).read_bytes()
    if what == "missing":
        history(fixed).unlink()
    else:
        history(fixed).write_bytes(before[:30] if what == "torn" else b"")
    assert reason(fixed) == ""
    with KeyStoreProcess(fixed):
        assert history(fixed).read_bytes() == before


def test_a_copy_that_is_lost_is_made_again(fixed: SoftHSM) -> None:
    copy(fixed).unlink()
    with KeyStoreProcess(fixed):
        assert copy(fixed).read_bytes() == history(fixed).read_bytes()


def test_a_history_that_is_lost_with_its_copy_is_named_and_written_anew_from_the_minutes(fixed: SoftHSM) -> None:
    """The line of `docs/guides/key-ceremony.md`: what is in it stands in the recovery document and in the minutes."""
    for path in (history(fixed), copy(fixed)):
        path.unlink()
    told = reason(fixed)
    assert "the root KEK has EXTRACTABLE=False" in told
    assert f"{history(fixed)}, by which a root that cannot be renewed is known, is missing" in told
    status, _, errors = run_once(fixed.configuration("serve", listen_fd=5))
    assert (status, f"{history(fixed)}, by which" in errors) == (CONFIGURATION_FAULT, True)
    line = {"kek_id": fixed.initialised["kek_id"], "generation": 1, "made_ms": 0, "fixed": True}
    history(fixed).write_text(json.dumps([{**line, "check": "0" * 32}]))
    assert NOT_OURS in reason(fixed), "the line is believed only where the token tells the same"
    history(fixed).write_text(json.dumps([{**line, "check": fixed.initialised["check"]}]))
    assert reason(fixed) == ""


def test_a_history_damaged_with_its_copy_is_refused(fixed: SoftHSM) -> None:
    for path in (history(fixed), copy(fixed)):
        path.write_bytes(b"{")
    assert f"cannot read {history(fixed)}: it was changed, and there is no good copy of it" in reason(fixed)


async def test_a_history_that_cannot_be_read_now_is_tried_again(fixed: SoftHSM) -> None:
    """A directory in its place stands for a disk, or descriptors, that come back."""
    kept = history(fixed).rename(history(fixed).with_name("kept"))
    history(fixed).mkdir()
    with KeyStoreProcess(fixed) as serving:
        keystore = ProcessKeyStore(serving.path, deadline_seconds=2)
        status = await keystore.status()
        assert (status.available, status.reason) == (False, "cannot read root-history: Is a directory")
        with pytest.raises(KeyStoreUnavailable):
            await keystore.generate_key(metadata())
        history(fixed).rmdir()
        kept.rename(history(fixed))
        async with asyncio.timeout(30):
            while not (await keystore.status()).available:  # noqa: ASYNC110  # another process looks by itself
                await asyncio.sleep(0.02)
        assert (await keystore.generate_key(metadata())).kek_id == fixed.initialised["kek_id"]
        await keystore.close()
        assert serving.ping()
