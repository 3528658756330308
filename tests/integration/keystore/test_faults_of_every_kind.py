"""Every row of the table of faults against every kind of key: right answers or none, and recovery by itself."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.domain.errors import KeyStoreUnavailable
from secretsd.testing.softhsm import KeyStoreProcess

from .conftest import Shim
from .kinds_at_work import INIT, KINDS, USING, AtWork, metadata_of
from .test_faults import DEVICE_ERROR, DEVICE_REMOVED, GENERAL_ERROR, HOST_MEMORY, OBJECT_HANDLE_INVALID, until

pytestmark = pytest.mark.integration
VENDOR, FUNCTION_CANCELED = 0x80000102, 0x50
Make = Callable[[str], Awaitable[AtWork]]
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def made() -> dict[str, AtWork]:
    """The keys of this file's process, by kind: RSA keys take a second each."""
    return {}


@pytest.fixture
def key_of(made: dict[str, AtWork], keystore: ProcessKeyStore, shim: Shim) -> Make:
    """A key of a kind, loaded and at work."""

    async def key(kind: str) -> AtWork:
        if kind not in made:
            made[kind] = await AtWork.make(keystore, kind)
        await made[kind].use(keystore)
        return made[kind]

    return key


def residents(process: KeyStoreProcess) -> int:
    return len(list(process.token.directory.glob("tokens/*/*.object")))


@every_kind
@pytest.mark.parametrize("code", [DEVICE_ERROR, GENERAL_ERROR, HOST_MEMORY, OBJECT_HANDLE_INVALID, VENDOR])
async def test_an_error_at_the_beginning_goes_unnoticed(
    process: KeyStoreProcess, keystore: ProcessKeyStore, key_of: Make, shim: Shim, kind: str, code: int
) -> None:
    key, pid = await key_of(kind), process.pid
    shim.fail(f"{INIT.get(kind, 'C_SignInit')} return {code:#x} 1")
    await key.use(keystore)
    assert process.pid == pid


@every_kind
@pytest.mark.parametrize("code", [DEVICE_ERROR, GENERAL_ERROR, FUNCTION_CANCELED, VENDOR])
async def test_an_error_in_the_middle_leaves_no_operation_behind(
    process: KeyStoreProcess, keystore: ProcessKeyStore, key_of: Make, shim: Shim, kind: str, code: int
) -> None:
    """The module was never asked to end what had begun: the next use on that session meets OPERATION_ACTIVE.

    A new session is enough; the library could not be initialised anew here.
    """
    key, pid = await key_of(kind), process.pid
    shim.fail(f"{USING.get(kind, 'C_Sign')} return {code:#x} 1", f"C_Initialize return {GENERAL_ERROR:#x} -1")
    await key.use(keystore)
    await key.use(keystore)
    assert process.pid == pid


@every_kind
@pytest.mark.parametrize("loss", ["close-all", "logout", "finalize"])
@pytest.mark.parametrize("place", ["beginning", "middle"])
async def test_sessions_logins_and_libraries_that_are_lost_come_back(
    process: KeyStoreProcess, keystore: ProcessKeyStore, key_of: Make, shim: Shim, kind: str, loss: str, place: str
) -> None:
    key, pid = await key_of(kind), process.pid
    function = INIT.get(kind, "C_SignInit") if place == "beginning" else USING.get(kind, "C_Sign")
    shim.fail(f"{function} {loss} 0 1")
    await key.use(keystore)
    assert process.pid == pid


@every_kind
@pytest.mark.parametrize("function", ["C_UnwrapKey", "C_FindObjectsInit", "C_FindObjects", "C_SignInit", "C_Sign"])
@pytest.mark.parametrize(
    "fault", [f"return {DEVICE_ERROR:#x}", f"after {DEVICE_ERROR:#x}", "logout 0", "close-all 0", "finalize 0"]
)
async def test_a_key_is_loaded_through_any_fault(
    process: KeyStoreProcess, keystore: ProcessKeyStore, key_of: Make, shim: Shim, kind: str, function: str, fault: str
) -> None:
    key = await key_of(kind)
    process.restart()
    shim.fail(f"{function} {fault} 1")
    await key.use(keystore)


@every_kind
@pytest.mark.parametrize("code", [DEVICE_ERROR, DEVICE_REMOVED])
async def test_a_dead_module_says_so_and_its_keys_come_back_with_it(
    process: KeyStoreProcess, keystore: ProcessKeyStore, key_of: Make, shim: Shim, kind: str, code: int
) -> None:
    key, pid = await key_of(kind), process.pid
    shim.fail(f"* return {code:#x} -1")
    with pytest.raises(KeyStoreUnavailable) as caught:
        await key.use(keystore)
    assert caught.value.retry_after_seconds
    shim.fail()
    await until(keystore, lambda status: status.available)
    await key.use(keystore)
    assert process.pid == pid


@every_kind
async def test_a_hang_costs_the_caller_his_patience_and_a_restart_cures_it(
    process: KeyStoreProcess,
    keystore: ProcessKeyStore,
    connect: Callable[..., ProcessKeyStore],
    key_of: Make,
    shim: Shim,
    kind: str,
) -> None:
    key = await key_of(kind)
    shim.fail(f"{INIT.get(kind, 'C_SignInit')} delay {600_000:#x} 1")
    with pytest.raises(KeyStoreUnavailable, match="in time"):
        await key.use(connect(deadline_seconds=0.5))
    assert not process.ping(seconds=0.5)
    shim.fail()
    waiting = asyncio.create_task(key.use(keystore))
    process.restart()
    await waiting


@every_kind
@pytest.mark.parametrize("fault", ["finalize", "close-all"])
async def test_a_token_that_was_moved_is_away_and_no_key_is_called_lost(
    process: KeyStoreProcess, keystore: ProcessKeyStore, key_of: Make, shim: Shim, kind: str, fault: str
) -> None:
    key = await key_of(kind)
    tokens, elsewhere = process.token.directory / "tokens", process.token.directory / "elsewhere"
    tokens.rename(elsewhere)
    tokens.mkdir()
    try:
        shim.fail(f"* {fault} 0 1")
        with pytest.raises(KeyStoreUnavailable):
            await key.use(keystore)
    finally:
        tokens.rmdir()
        elsewhere.rename(tokens)
    await until(keystore, lambda status: status.available)
    await key.use(keystore)


@every_kind
@pytest.mark.parametrize("fault", [f"return {DEVICE_ERROR:#x}", f"after {DEVICE_ERROR:#x}", "close-all 0", "logout 0"])
@pytest.mark.parametrize("function", ["C_GenerateKey", "C_GenerateKeyPair", "C_WrapKey", "C_DestroyObject"])
async def test_a_key_is_made_once_through_any_fault(
    process: KeyStoreProcess, keystore: ProcessKeyStore, shim: Shim, kind: str, function: str, fault: str
) -> None:
    before = residents(process)
    shim.fail(f"{function} {fault} 1")
    key = await AtWork.make(keystore, kind)
    await key.use(keystore)
    assert residents(process) == before + (kind == "ed25519"), "an orphan stays on the token"


async def test_orphans_of_a_making_that_failed_to_the_end_are_swept_by_the_next(
    process: KeyStoreProcess, keystore: ProcessKeyStore, shim: Shim
) -> None:
    before = residents(process)
    shim.fail(f"C_GenerateKeyPair after {DEVICE_ERROR:#x} -1")
    with pytest.raises(KeyStoreUnavailable):
        await keystore.generate_key(metadata_of("ed25519"))
    assert residents(process) > before
    shim.fail()
    await until(keystore, lambda status: status.available)
    key = await AtWork.make(keystore, "ed25519")
    await key.use(keystore)
    assert residents(process) == before + 1
