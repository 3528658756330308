"""A rotation of the root that fails or is killed on the way: key stores serve on, and the next try works."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.testing import softhsm
from secretsd.testing.keystore_suite import CONTEXT, TEXT, USE, metadata
from secretsd.testing.softhsm import KeyStoreProcess, SoftHSM

from .ceremonies import ceremony, rotate
from .conftest import Shim

pytestmark = pytest.mark.integration
OPEN = """
import json, sys, pkcs11
from pkcs11 import Attribute as A
module, label, pin = json.load(sys.stdin)
session = pkcs11.lib(module).get_token(token_label=label).open(user_pin=pin, rw=True)
"""
OBJECTS = "print(json.dumps([key[A.LABEL] for key in session.get_objects() if key[A.TOKEN]]))"
LEAVE_A_MAC_KEY = """
session.generate_key(pkcs11.KeyType.GENERIC_SECRET, 256, id=bytes(16), label="secretsd root mac 2", store=True)
print("[]")
"""


def test_what_is_left_of_a_rotation_that_was_cut_short_goes_with_the_next(root: SoftHSM) -> None:
    python(root, LEAVE_A_MAC_KEY)
    rotate(root)
    assert sorted(python(root, OBJECTS)) == [f"secretsd root {kind} {n}" for kind in ("kek", "mac") for n in (1, 2)]


async def test_a_root_that_is_not_proved_yet_wraps_nothing(tmp_path: Path, module_shim: Shim) -> None:
    """It is on the token, and the ceremony hangs in the probe: a key store that serves beside it goes on as before."""
    token = SoftHSM.create(tmp_path / "hung", module=str(module_shim.path), environment=module_shim.environment)
    document = token.configuration("rotate-root", so_pin=token.initialised["so_pin"], refuse_recovery=True)
    plain = replace(token, module=softhsm.softhsm_module())
    with KeyStoreProcess(plain) as process:
        keystore = ProcessKeyStore(process.path, deadline_seconds=30)
        before = await keystore.status()
        history = token.data_dir / "root-history"
        written = history.stat().st_ino
        ours, theirs = socket.socketpair()
        with ours, theirs, (tmp_path / "hung.log").open("ab") as log:
            pid = softhsm._spawn(document, {1: log.fileno(), 2: log.fileno(), 3: theirs.fileno()}, None)
            async with asyncio.timeout(60):
                while history.stat().st_ino == written:  # noqa: ASYNC110  # another process's file
                    await asyncio.sleep(0.001)
            module_shim.fail("C_UnwrapKey delay 0x20000 -1")  # the making unwraps nothing, the probe does
            try:
                async with asyncio.timeout(60):
                    while len(keks_of(plain)) < 2:  # noqa: ASYNC110  # another process's token
                        await asyncio.sleep(0.05)
                status = await keystore.status()
                assert status.kek_id == before.kek_id
                assert (await keystore.generate_key(metadata())).kek_id == before.kek_id
            finally:
                os.kill(pid, signal.SIGKILL)
                await asyncio.to_thread(os.waitpid, pid, 0)
                module_shim.fail()
        assert (await keystore.status()).kek_id == before.kek_id
        await keystore.close()


@pytest.mark.parametrize("action", ["return", "after"])
async def test_a_root_that_the_module_fails_to_copy_is_none(tmp_path: Path, module_shim: Shim, action: str) -> None:
    """The copy is what makes it count. A module may also fail after it has worked: then the copy is taken away."""
    token = SoftHSM.create(tmp_path / "cut", module=str(module_shim.path), environment=module_shim.environment)
    before = ceremony(token, "roots")
    module_shim.fail(f"C_CopyObject {action} 0x30 -1")
    try:
        with pytest.raises(RuntimeError, match="cannot make a new root: the module answers DeviceError"):
            rotate(token)
    finally:
        module_shim.fail()
    assert ceremony(token, "roots") == before
    assert rotate(token)["root"]["generation"] == 2


async def test_a_rotation_that_is_killed_at_any_moment_leaves_a_key_store_that_serves(
    root: SoftHSM, serving: KeyStoreProcess, client: ProcessKeyStore
) -> None:
    key = await client.generate_key(metadata())
    began = time.monotonic()
    last = rotate(root)["root"]["kek_id"]
    took = time.monotonic() - began
    document = root.configuration("rotate-root", so_pin=root.initialised["so_pin"], refuse_recovery=True)
    cut, part = 0, 0
    while cut < 6:
        ours, theirs = socket.socketpair()
        with ours, theirs, (root.directory / "cut.log").open("ab") as log:
            pid = softhsm._spawn(document, {1: log.fileno(), 2: log.fileno(), 3: theirs.fileno()}, None)
        await asyncio.sleep(took * (0.4 + 0.1 * (part % 6)))  # not a wait for anything: the moment at which it dies
        os.kill(pid, signal.SIGKILL)
        _, status = await asyncio.to_thread(os.waitpid, pid, 0)
        if os.WIFSIGNALED(status):
            cut, part = cut + 1, part + 1
        else:
            took *= 0.8  # it was faster than the first one
        listed = ceremony(root, "roots")
        assert last in listed["checks"]
        last = listed["current"]
        assert (await client.status()).kek_id == last
        key = await client.rewrap(key)
        assert key.kek_id == last
    made = rotate(root)
    await client.status()
    moved = await client.rewrap(key)
    assert moved.kek_id == made["root"]["kek_id"]
    serving.restart()
    assert await client.decrypt(moved, USE, await client.encrypt(key, USE, TEXT, CONTEXT), CONTEXT) == TEXT


def keks_of(token: SoftHSM) -> list[str]:
    """The root KEKs that are on the token."""
    return [label for label in python(token, OBJECTS) if "kek" in label]


def python(token: SoftHSM, program: str) -> list[str]:
    """What a program of its own finds out about the token."""
    ran = subprocess.run(
        [sys.executable, "-I", "-c", OPEN + program], input=json.dumps([token.module, token.token_label, token.pin]),
        env={**token.environment, "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    found: list[str] = json.loads(ran.stdout)
    return found
