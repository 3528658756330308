"""kill -9 of the keystore process: no wrong answer, hardly a failed call, and no use that is not counted."""

import asyncio
import signal
import stat
from collections.abc import Callable

import pytest

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.domain.errors import KeyStoreUnavailable
from secretsd.domain.sensitive import Plaintext
from secretsd.testing.keystore_suite import CONTEXT, TEXT, USE, metadata
from secretsd.testing.softhsm import KeyStoreProcess

pytestmark = pytest.mark.integration


async def test_calls_in_flight_survive_a_restart(process: KeyStoreProcess, keystore: ProcessKeyStore) -> None:
    key = await keystore.generate_key(metadata())
    texts = [Plaintext(b"%d" % number) for number in range(300)]
    made = await asyncio.gather(*(keystore.encrypt(key, USE, text, CONTEXT) for text in texts))
    calls = [asyncio.create_task(keystore.decrypt(key, USE, ciphertext, CONTEXT)) for ciphertext in made]
    await asyncio.sleep(0)  # they are on their way
    process.kill()
    process.start()
    assert await asyncio.gather(*calls) == texts
    assert (await keystore.status()).restarts == 1


async def test_no_answer_is_wrong_under_one_crash_after_the_other(
    process: KeyStoreProcess, keystore: ProcessKeyStore
) -> None:
    key = await keystore.generate_key(metadata())
    stop = asyncio.Event()
    right = refused = 0

    async def user(number: int) -> None:
        nonlocal right, refused
        text = Plaintext(b"user %d" % number)
        while not stop.is_set():
            try:
                ciphertext = await keystore.encrypt(key, USE, text, CONTEXT)
                assert await keystore.decrypt(key, USE, ciphertext, CONTEXT) == text
                right += 1
            except KeyStoreUnavailable:
                refused += 1
                await asyncio.sleep(0.01)

    users = [asyncio.create_task(user(number)) for number in range(16)]
    for _ in range(8):
        before = right
        while right < before + 50:  # noqa: ASYNC110 - a plain condition reads better than an event a round
            await asyncio.sleep(0.005)
        process.kill()
        process.start()
    stop.set()
    await asyncio.gather(*users)
    assert right >= 400
    assert refused <= 16 * 8


async def test_a_key_store_that_stays_away_is_refused_at_once(
    process: KeyStoreProcess, connect: Callable[..., ProcessKeyStore]
) -> None:
    keystore = connect(deadline_seconds=2)
    await keystore.random(1)
    process.path.rename(away := process.path.with_suffix(".away"))
    try:
        process.kill()
        with pytest.raises(KeyStoreUnavailable):  # waits, because it may be a restart
            await keystore.random(1)
        loop = asyncio.get_running_loop()
        started = loop.time()
        for _ in range(100):
            with pytest.raises(KeyStoreUnavailable):
                await keystore.random(1)
        assert loop.time() - started < 5, "each of a hundred calls waited"
        status = await keystore.status()
        assert not status.available
        assert status.reason.startswith("cannot ")
    finally:
        away.rename(process.path)
    process.start()
    deadline = loop.time() + 30
    while not (await keystore.status()).available:
        assert loop.time() < deadline
        await asyncio.sleep(0.02)
    assert len(await keystore.random(8)) == 8


async def test_the_storage_key_is_the_same_after_a_restart(process: KeyStoreProcess, keystore: ProcessKeyStore) -> None:
    before = await keystore.storage_key()
    process.restart()
    assert await keystore.storage_key() == before


async def test_uses_are_never_forgotten_by_a_crash(process: KeyStoreProcess, keystore: ProcessKeyStore) -> None:
    key = await keystore.generate_key(metadata())
    name, true_uses = f"{key.key_id}/{key.version}", 0
    for _ in range(4):
        made = await asyncio.gather(*(keystore.encrypt(key, USE, TEXT, {}) for _ in range(40)))
        await asyncio.gather(*(keystore.decrypt(key, USE, ciphertext, {}) for ciphertext in made))
        true_uses += 80
        process.restart()
        await keystore.encrypt(key, USE, TEXT, {})
        true_uses += 1
        assert (await keystore.status()).uses[name] >= true_uses


async def test_an_orderly_end_loses_no_count_and_adds_none(process: KeyStoreProcess, keystore: ProcessKeyStore) -> None:
    key = await keystore.generate_key(metadata())
    await keystore.encrypt(key, USE, TEXT, {})
    name = f"{key.key_id}/{key.version}"
    before = (await keystore.status()).uses[name]
    assert process.stop() == 0
    process.start()
    await keystore.encrypt(key, USE, TEXT, {})
    assert (await keystore.status()).uses[name] == before + 2, "one encryption, and the known answer of the loaded key"


async def test_more_keys_than_are_kept_loaded_all_work(process: KeyStoreProcess) -> None:
    process.stop()
    path = process.path.with_name("small.sock")
    with KeyStoreProcess(process.token, path=path, max_loaded_keys=3) as small:
        keystore = ProcessKeyStore(small.path, deadline_seconds=30)
        keys = await asyncio.gather(*(keystore.generate_key(metadata()) for _ in range(12)))
        for _ in range(2):
            made = await asyncio.gather(*(keystore.encrypt(key, USE, TEXT, {}) for key in keys))
            pairs = zip(keys, made, strict=True)
            opened = await asyncio.gather(*(keystore.decrypt(key, USE, text, {}) for key, text in pairs))
            assert opened == [TEXT] * 12
        assert (await keystore.status()).loaded_keys == 3
        await keystore.close()


async def test_a_key_store_that_does_not_answer_costs_one_deadline_not_many(
    process: KeyStoreProcess, connect: Callable[..., ProcessKeyStore]
) -> None:
    keystore = connect(deadline_seconds=1)
    await keystore.random(1)
    process.signal(signal.SIGSTOP)
    loop = asyncio.get_running_loop()
    started = loop.time()
    try:
        for _ in range(2):
            with pytest.raises(KeyStoreUnavailable):
                await keystore.random(1)
        probing = [asyncio.create_task(keystore.random(1)) for _ in range(50)]
        done, _ = await asyncio.wait(probing, return_when=asyncio.FIRST_COMPLETED)
        assert len(done) == 49, "only one of them waits"
        outcomes = await asyncio.gather(*probing, return_exceptions=True)
    finally:
        process.signal(signal.SIGCONT)
    assert {type(outcome) for outcome in outcomes} == {KeyStoreUnavailable}
    assert loop.time() - started < 20
    deadline = loop.time() + 30
    while not (await keystore.status()).available:
        assert loop.time() < deadline
        await asyncio.sleep(0.02)
    assert len(await keystore.random(5)) == 5


async def test_a_client_that_is_closed_refuses(keystore: ProcessKeyStore) -> None:
    await keystore.random(1)
    waiting = asyncio.create_task(keystore.random(4096))
    await asyncio.sleep(0)
    await keystore.close()
    with pytest.raises(KeyStoreUnavailable):
        await waiting
    with pytest.raises(KeyStoreUnavailable):
        await keystore.random(1)
    assert not (await keystore.status()).available


async def test_the_files_are_for_the_process_alone(process: KeyStoreProcess, keystore: ProcessKeyStore) -> None:
    await keystore.generate_key(metadata())
    for path in process.token.data_dir.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name


def test_two_processes_never_share_a_data_directory(process: KeyStoreProcess) -> None:
    second = KeyStoreProcess(process.token, path=process.path.with_name("second.sock"))
    try:
        with pytest.raises(RuntimeError, match="another keystore process has it"):
            second.start()
    finally:
        second.close()
    assert process.ping()


def test_the_end_of_the_supervisor_is_the_end_of_the_process(process: KeyStoreProcess) -> None:
    process.forget()
    assert process.wait() == 1
