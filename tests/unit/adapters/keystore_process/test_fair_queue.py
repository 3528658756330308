"""Accounts take turns, and each keeps its own order."""

import pytest

from secretsd.adapters.keystore_process import messages as m
from secretsd.adapters.keystore_process.fair_queue import FairQueue
from secretsd.domain.envelope import Purpose
from secretsd.testing import samples


def encrypt(number: int, account: str) -> m.Encrypt:
    return m.Encrypt(number, bytes(32), account, Purpose.API_CIPHERTEXT, "request", {}, b"text")


def drained(queue: FairQueue) -> list[int]:
    return [queue.popleft().id for _ in range(len(queue))]


def test_one_call_of_each_account_in_turn() -> None:
    queue = FairQueue()
    for number in range(5):
        queue.append(encrypt(number, "000000000001"))
    queue.append(encrypt(10, "000000000002"))
    queue.append(encrypt(11, "000000000002"))
    assert drained(queue) == [0, 10, 1, 11, 2, 3, 4]


def test_what_names_no_account_takes_its_turn_too() -> None:
    queue = FairQueue()
    for number in range(3):
        queue.append(encrypt(number, "000000000001"))
    queue.append(m.Status(9))
    assert drained(queue) == [0, 9, 1, 2]


def test_a_row_comes_before_the_call_that_needs_it() -> None:
    queue = FairQueue()
    row = samples.wrapped_key()
    for number in range(3):
        queue.append(encrypt(number, "000000000009"))
    queue.append(m.Load(3, m.KeyRow.of(row)))
    queue.append(encrypt(4, row.account))
    order = drained(queue)
    assert order.index(3) < order.index(4)


def test_nobody_waits() -> None:
    queue = FairQueue()
    assert len(queue) == 0
    with pytest.raises(IndexError):
        queue.popleft()
