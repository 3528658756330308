"""One data key is asked for and serves many messages, no longer and for no more than the limits say."""

import asyncio
import itertools
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from secretsd.client import ClientError, Plaintext
from secretsd.client.encryption import Encryption, Limits
from secretsd.client.encryption.data_keys import DataKeys
from secretsd.domain.errors import KeyStoreUnavailable
from tests.unit.client.data_key_daemon import KEY, OTHER_KEY, DataKeyDaemon

CONTEXT = {"order": "17"}


class Clock:
    """Stands still until a test moves it."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def daemon() -> DataKeyDaemon:
    return DataKeyDaemon()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def keys(daemon: DataKeyDaemon, clock: Clock, **limits: float) -> DataKeys:
    return DataKeys(daemon, Limits(**limits), clock)  # type: ignore[arg-type]  # floats stand for ints as well


async def test_ten_thousand_small_messages_ask_for_eleven_data_keys_at_most(daemon) -> None:
    encryption = Encryption(daemon, KEY)
    messages = [await encryption.encrypt(Plaintext(b"%d" % n), context=CONTEXT) for n in range(10_000)]
    assert 1 <= daemon.calls["GenerateDataKey"] <= 11
    reader = Encryption(daemon)
    for number in range(0, 10_000, 7):
        assert (await reader.decrypt(messages[number], context=CONTEXT)).reveal() == b"%d" % number
    assert daemon.calls["Decrypt"] == daemon.calls["GenerateDataKey"]


async def test_ten_thousand_at_the_same_time_ask_for_no_more(daemon) -> None:
    encryption = Encryption(daemon, KEY)
    made = await asyncio.gather(*(encryption.encrypt(Plaintext(b"x"), context=CONTEXT) for _ in range(10_000)))
    assert len({message[3:35] for message in made}) == 10_000
    assert daemon.calls["GenerateDataKey"] <= 11


async def test_a_data_key_encrypts_so_many_messages(daemon, clock) -> None:
    found = keys(daemon, clock, max_messages=3)
    used = [(await found.to_encrypt(KEY, CONTEXT, 1)).ciphertext for _ in range(7)]
    assert [used.count(one) for one in dict.fromkeys(used)] == [3, 3, 1]


async def test_a_data_key_encrypts_so_many_bytes(daemon, clock) -> None:
    found = keys(daemon, clock, max_bytes=100)
    used = [(await found.to_encrypt(KEY, CONTEXT, size)).ciphertext for size in (60, 40, 1, 99, 0, 1)]
    assert [used.count(one) for one in dict.fromkeys(used)] == [2, 3, 1]
    for size in (101, None):  # a message longer than that, or of unknown length, has one that no other message shares
        alone = await found.to_encrypt(KEY, CONTEXT, size)
        assert used.count(alone.ciphertext) == 0
        assert found.take(KEY, CONTEXT, 1) != alone


async def test_a_data_key_is_used_until_it_is_too_old_counted_from_before_it_was_asked_for(daemon, clock) -> None:
    found = keys(daemon, clock, max_age_seconds=10)
    daemon.gate.clear()
    waiting = asyncio.create_task(found.to_encrypt(KEY, CONTEXT, 1))
    await daemon.asked.wait()
    clock.now += 4
    daemon.gate.set()
    first = await waiting
    clock.now += 5.9
    assert await found.to_encrypt(KEY, CONTEXT, 1) == first
    clock.now += 0.2
    assert await found.to_encrypt(KEY, CONTEXT, 1) != first


async def test_a_decrypted_data_key_is_kept_no_longer(daemon, clock) -> None:
    found = keys(daemon, clock, max_age_seconds=10)
    ciphertext = (await found.to_encrypt(KEY, CONTEXT, 1)).ciphertext
    for wait, calls in ((0, 1), (9, 1), (1, 2)):
        clock.now += wait
        await found.to_decrypt(ciphertext, CONTEXT)
        assert daemon.calls["Decrypt"] == calls


async def test_answers_that_always_come_too_late_are_used_once_each(daemon) -> None:
    ticks = itertools.count()
    found = DataKeys(daemon, Limits(max_age_seconds=1), lambda: float(next(ticks)))
    async with asyncio.timeout(5):
        made = [await found.to_encrypt(KEY, CONTEXT, 1) for _ in range(2)]
    assert made[0] != made[1]
    assert daemon.calls["GenerateDataKey"] == 4


@pytest.mark.parametrize("nothing", ["max_age_seconds", "max_messages", "max_bytes", "max_data_keys"])
async def test_nothing_is_kept_where_a_limit_is_nothing(daemon, clock, nothing) -> None:
    found = keys(daemon, clock, **{nothing: 0})
    used = [await found.to_encrypt(KEY, CONTEXT, 1) for _ in range(3)]
    assert len({one.ciphertext for one in used}) == 3
    for _ in range(2):
        await found.to_decrypt(used[0].ciphertext, CONTEXT)
    assert daemon.calls["Decrypt"] == 2


async def test_each_key_and_context_has_its_own_and_the_oldest_go(daemon, clock) -> None:
    found = keys(daemon, clock, max_data_keys=2)
    uses: list[tuple[str, dict[str, str]]] = [(KEY, CONTEXT), (KEY, {}), (OTHER_KEY, {})]
    made = [await found.to_encrypt(key, context, 1) for key, context in uses]
    assert len({one.ciphertext for one in made}) == 3
    assert [found.take(key, context, 1) for key, context in uses] == [None, made[1], made[2]]
    assert daemon.contexts == [CONTEXT, {}, {}]


async def test_those_who_wait_for_the_same_share_an_error_and_it_is_not_kept(daemon) -> None:
    found = DataKeys(daemon, Limits())
    daemon.refusals = [KeyStoreUnavailable()]
    daemon.gate.clear()
    waiting = [asyncio.create_task(found.to_encrypt(KEY, CONTEXT, 1)) for _ in range(5)]
    await asyncio.sleep(0)
    daemon.gate.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in results] == [KeyStoreUnavailable] * 5
    assert len((await found.to_encrypt(KEY, CONTEXT, 1)).plaintext) == 32
    assert daemon.calls["GenerateDataKey"] == 2


async def test_who_gives_up_waiting_does_not_take_it_from_the_others(daemon) -> None:
    found = DataKeys(daemon, Limits())
    daemon.gate.clear()
    first, second = [asyncio.create_task(found.to_encrypt(KEY, CONTEXT, 1)) for _ in range(2)]
    await asyncio.sleep(0)
    await daemon.asked.wait()
    first.cancel()
    daemon.gate.set()
    assert len((await second).plaintext) == 32
    assert daemon.calls["GenerateDataKey"] == 1


async def test_threads_share_a_data_key_and_none_of_its_uses_is_lost(daemon) -> None:
    def yields() -> float:
        """Read between the look at what is left and its use: here another thread would get in."""
        time.sleep(0)
        return 1000.0

    found = DataKeys(daemon, Limits(max_messages=4001), yields)
    await found.to_encrypt(KEY, CONTEXT, 1)
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: found.take(KEY, CONTEXT, 1), range(4100)))
    assert sum(one is not None for one in taken) == 4000


async def test_a_child_begins_with_nothing_even_while_another_thread_holds_the_lock(daemon) -> None:
    found = DataKeys(daemon, Limits())
    made = await found.to_encrypt(KEY, CONTEXT, 1)
    await found.to_decrypt(made.ciphertext, CONTEXT)

    def nothing_in_a_child() -> bool:
        child = os.fork()
        if child == 0:
            nothing = found.take(KEY, CONTEXT, 1) is None and found.known(made.ciphertext, CONTEXT) is None
            os._exit(7 if nothing else 1)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7

    with found._to_encrypt.lock, found._to_decrypt.lock:
        assert nothing_in_a_child()
    assert found.take(KEY, CONTEXT, 1) == made
    assert found.known(made.ciphertext, CONTEXT) is not None


async def test_forgetting_forgets(daemon) -> None:
    found = DataKeys(daemon, Limits())
    made = await found.to_encrypt(KEY, CONTEXT, 1)
    found.clear()
    assert found.take(KEY, CONTEXT, 1) is None
    assert found.known(made.ciphertext, CONTEXT) is None


def test_a_limit_below_nothing_is_refused() -> None:
    with pytest.raises(ClientError, match="none may be below 0"):
        Limits(max_messages=-1)
