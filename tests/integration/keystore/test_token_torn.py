"""kill -9 in the middle of a login, in which SoftHSM2 empties the token's file: the token is not lost by it."""

import os
import signal
from pathlib import Path

import pytest

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.testing.keystore_suite import CONTEXT, TEXT, USE, metadata
from secretsd.testing.softhsm import KeyStoreProcess, SoftHSM

pytestmark = pytest.mark.integration

KILLS = 5


def kill_in_its_login(process: KeyStoreProcess, file: Path) -> None:
    """Start a process and kill it as soon as the token's file changes, which one time in twelve leaves it empty."""
    before = file.stat().st_mtime_ns
    process.spawn()
    while file.stat().st_mtime_ns == before:
        if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            raise AssertionError(process.log())
    process.signal(signal.SIGKILL)
    process.wait()


async def test_a_login_that_is_killed_costs_nothing(tmp_path: Path) -> None:
    token = SoftHSM.create(tmp_path / "token")
    (file,) = (token.directory / "tokens").glob("*/token.object")
    with KeyStoreProcess(token) as process:
        keystore = ProcessKeyStore(process.path, deadline_seconds=20.0)
        key = await keystore.generate_key(metadata())
        ciphertext = await keystore.encrypt(key, USE, TEXT, CONTEXT)
        process.kill()
        for _ in range(KILLS):
            kill_in_its_login(process, file)
        process.start()
        assert await keystore.decrypt(key, USE, ciphertext, CONTEXT) == TEXT
        await keystore.close()


async def test_whoever_is_logged_in_goes_on_and_the_next_login_puts_the_file_back(tmp_path: Path) -> None:
    token = SoftHSM.create(tmp_path / "token")
    (file,) = (token.directory / "tokens").glob("*/token.object")
    with KeyStoreProcess(token) as process:
        keystore = ProcessKeyStore(process.path, deadline_seconds=20.0)
        key = await keystore.generate_key(metadata())
        ciphertext = await keystore.encrypt(key, USE, TEXT, CONTEXT)
        os.truncate(file, 0)
        assert await keystore.decrypt(key, USE, ciphertext, CONTEXT) == TEXT
        process.restart()
        assert file.stat().st_size > 0
        assert await keystore.decrypt(key, USE, ciphertext, CONTEXT) == TEXT
        await keystore.close()
