"""The module fails in every way that modules do: no wrong answer, and recovery by itself in the same process."""

import asyncio
import time
from collections.abc import Callable

import pytest

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.domain.errors import InvalidCiphertext, KeyStoreUnavailable
from secretsd.ports.keystore import KeyStoreStatus
from secretsd.testing.keystore_suite import CONTEXT, TEXT, USE, metadata
from secretsd.testing.softhsm import KeyStoreProcess

from .conftest import Shim

pytestmark = pytest.mark.integration

GENERAL_ERROR, DEVICE_ERROR, DEVICE_REMOVED, HOST_MEMORY = 0x05, 0x30, 0x32, 0x02
SESSION_HANDLE_INVALID, OBJECT_HANDLE_INVALID, KEY_HANDLE_INVALID = 0xB3, 0x82, 0x60
FUNCTIONS = (
    "C_EncryptInit",
    "C_Encrypt",
    "C_DecryptInit",
    "C_Decrypt",
    "C_SignInit",
    "C_Sign",
    "C_GenerateKey",
    "C_WrapKey",
    "C_UnwrapKey",
    "C_GenerateRandom",
    "C_DestroyObject",
)


async def work(keystore: ProcessKeyStore) -> None:
    """Every kind of call, each with the right answer: made, wrapped, loaded, used, opened."""
    key = await keystore.generate_key(metadata())
    ciphertext = await keystore.encrypt(key, USE, TEXT, CONTEXT)
    assert await keystore.decrypt(key, USE, ciphertext, CONTEXT) == TEXT
    data_key, sealed = await keystore.generate_data_key(key, USE, CONTEXT)
    assert await keystore.decrypt(key, USE, sealed, CONTEXT) == data_key
    assert len(await keystore.storage_key()) == 32


async def until(keystore: ProcessKeyStore, wanted: Callable[[KeyStoreStatus], bool]) -> KeyStoreStatus:
    """The first status that is as wanted; fails after half a minute."""
    deadline = time.monotonic() + 30
    while not wanted(status := await keystore.status()):
        assert time.monotonic() < deadline, status
        await asyncio.sleep(0.02)
    return status


@pytest.mark.parametrize(
    "code", [GENERAL_ERROR, DEVICE_ERROR, SESSION_HANDLE_INVALID, OBJECT_HANDLE_INVALID, HOST_MEMORY]
)
@pytest.mark.parametrize("function", FUNCTIONS)
async def test_one_error_anywhere_goes_unnoticed(
    process: KeyStoreProcess, keystore: ProcessKeyStore, shim: Shim, function: str, code: int
) -> None:
    pid = process.pid
    shim.fail(f"{function} return {code:#x} 1")
    await work(keystore)
    assert process.pid == pid
    assert process.ping()


@pytest.mark.parametrize("function", FUNCTIONS)
async def test_an_error_after_the_work_was_done_goes_unnoticed(
    keystore: ProcessKeyStore, shim: Shim, function: str, process: KeyStoreProcess
) -> None:
    objects = len(list(process.token.directory.glob("tokens/*/*.object")))
    shim.fail(f"{function} after {DEVICE_ERROR:#x} 1")
    await work(keystore)
    assert len(list(process.token.directory.glob("tokens/*/*.object"))) == objects, "an orphan stays on the token"


@pytest.mark.parametrize("loss", ["close-all", "logout", "finalize"])
@pytest.mark.parametrize("function", FUNCTIONS)
async def test_lost_sessions_logins_and_libraries_come_back(
    process: KeyStoreProcess, keystore: ProcessKeyStore, shim: Shim, function: str, loss: str
) -> None:
    pid = process.pid
    await work(keystore)
    shim.fail(f"{function} {loss} 0 1")
    await work(keystore)
    assert process.pid == pid


@pytest.mark.parametrize("loss", ["close-all", "logout", "finalize"])
async def test_a_loaded_key_works_on_after_its_session_was_lost(
    keystore: ProcessKeyStore, shim: Shim, loss: str
) -> None:
    key = await keystore.generate_key(metadata())
    ciphertext = await keystore.encrypt(key, USE, TEXT, CONTEXT)
    shim.fail(f"C_DecryptInit {loss} 0 1")
    assert await keystore.decrypt(key, USE, ciphertext, CONTEXT) == TEXT


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("function", ["C_DecryptInit", "C_Decrypt"])
async def test_a_failing_module_never_makes_a_good_ciphertext_bad(
    keystore: ProcessKeyStore, shim: Shim, function: str, times: int
) -> None:
    key = await keystore.generate_key(metadata())
    ciphertext = await keystore.encrypt(key, USE, TEXT, CONTEXT)
    shim.fail(f"{function} return {GENERAL_ERROR:#x} {times}")
    assert await keystore.decrypt(key, USE, ciphertext, CONTEXT) == TEXT


@pytest.mark.parametrize("times", range(3, 12))
async def test_a_module_that_fails_again_and_again_is_away_at_worst(
    keystore: ProcessKeyStore, shim: Shim, times: int
) -> None:
    key = await keystore.generate_key(metadata())
    ciphertext = await keystore.encrypt(key, USE, TEXT, CONTEXT)
    shim.fail(f"C_Decrypt return {GENERAL_ERROR:#x} {times}")
    deadline = time.monotonic() + 30
    while True:
        try:
            assert await keystore.decrypt(key, USE, ciphertext, CONTEXT) == TEXT
            break
        except KeyStoreUnavailable:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)


async def test_a_module_that_only_fails_is_away_and_no_ciphertext_is_called_bad(
    keystore: ProcessKeyStore, shim: Shim
) -> None:
    key = await keystore.generate_key(metadata())
    ciphertext = await keystore.encrypt(key, USE, TEXT, CONTEXT)
    shim.fail(f"C_Decrypt return {GENERAL_ERROR:#x} -1")
    for _ in range(3):
        with pytest.raises(KeyStoreUnavailable):
            await keystore.decrypt(key, USE, ciphertext, CONTEXT)
    shim.fail()
    await until(keystore, lambda status: status.available)
    assert await keystore.decrypt(key, USE, ciphertext, CONTEXT) == TEXT


async def test_bad_ciphertexts_cost_nobody_the_loaded_keys(
    process: KeyStoreProcess, keystore: ProcessKeyStore, shim: Shim
) -> None:
    key = await keystore.generate_key(metadata())
    ciphertext = await keystore.encrypt(key, USE, TEXT, CONTEXT)
    logins = shim.logins()
    shim.fail(f"C_UnwrapKey return {DEVICE_ERROR:#x} -1")  # whatever had to be loaded again would fail
    for _ in range(50):
        with pytest.raises(InvalidCiphertext):
            await keystore.decrypt(key, USE, ciphertext[:-1] + bytes([ciphertext[-1] ^ 1]), CONTEXT)
    assert await keystore.decrypt(key, USE, ciphertext, CONTEXT) == TEXT
    assert shim.logins() == logins


@pytest.mark.parametrize("code", [DEVICE_ERROR, DEVICE_REMOVED, GENERAL_ERROR])
async def test_a_dead_module_is_told_and_comes_back_without_a_restart(
    process: KeyStoreProcess, keystore: ProcessKeyStore, shim: Shim, code: int
) -> None:
    pid = process.pid
    key = await keystore.generate_key(metadata())
    ciphertext = await keystore.encrypt(key, USE, TEXT, CONTEXT)
    shim.fail(f"* return {code:#x} -1")
    with pytest.raises(KeyStoreUnavailable) as caught:
        await keystore.decrypt(key, USE, ciphertext, CONTEXT)
    assert caught.value.retry_after_seconds
    status = await until(keystore, lambda status: not status.available)
    assert status.reason.startswith("cannot ")
    assert process.ping(), "the loop goes on while the token is away"
    shim.fail()
    await until(keystore, lambda status: status.available)  # nobody but the status was asked for anything
    assert await keystore.decrypt(key, USE, ciphertext, CONTEXT) == TEXT
    assert process.pid == pid
    assert process.token.pin not in process.log()


async def test_a_token_directory_that_was_moved_comes_back(
    process: KeyStoreProcess, keystore: ProcessKeyStore, shim: Shim
) -> None:
    tokens, elsewhere = process.token.directory / "tokens", process.token.directory / "elsewhere"
    await work(keystore)
    tokens.rename(elsewhere)
    tokens.mkdir()
    try:
        shim.fail("C_GenerateKey finalize 0 1")
        with pytest.raises(KeyStoreUnavailable):
            await keystore.generate_key(metadata())
    finally:
        tokens.rmdir()
        elsewhere.rename(tokens)
    await until(keystore, lambda status: status.available)
    await work(keystore)


async def test_a_module_that_is_away_at_the_start_is_waited_for(
    process: KeyStoreProcess, keystore: ProcessKeyStore, shim: Shim
) -> None:
    shim.fail(f"C_OpenSession return {DEVICE_ERROR:#x} -1")
    process.restart()
    assert not (await keystore.status()).available
    shim.fail()
    await until(keystore, lambda status: status.available)
    await work(keystore)


async def test_a_hang_shows_in_the_pings_and_a_restart_cures_it(
    process: KeyStoreProcess, keystore: ProcessKeyStore, connect: Callable[..., ProcessKeyStore], shim: Shim
) -> None:
    key = await keystore.generate_key(metadata())
    ciphertext = await keystore.encrypt(key, USE, TEXT, CONTEXT)
    shim.fail(f"C_DecryptInit delay {600_000:#x} 1")
    hasty = connect(deadline_seconds=0.5)
    with pytest.raises(KeyStoreUnavailable, match="in time"):
        await hasty.decrypt(key, USE, ciphertext, CONTEXT)
    assert not process.ping(seconds=0.5)
    shim.fail()
    waiting = asyncio.create_task(keystore.decrypt(key, USE, ciphertext, CONTEXT))
    process.restart()
    assert await waiting == TEXT
