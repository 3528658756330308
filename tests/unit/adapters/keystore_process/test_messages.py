"""What is said between worker and keystore process shows nothing when it is printed, and decodes to what it was."""

import msgspec
import pytest

from secretsd.adapters.keystore_process import messages as m
from secretsd.adapters.keystore_process.configuration import Configuration, Initialised
from secretsd.domain.envelope import MAX_PLAINTEXT_BYTES, Purpose

ACCOUNT = "000000000001"
SECRET = b"correct horse battery staple"
CALLS = [
    m.Status(1),
    m.StorageKey(2),
    m.Random(3, 4096),
    m.Encrypt(4, bytes(32), ACCOUNT, Purpose.API_CIPHERTEXT, "r", {"a": "horse"}, SECRET),
    m.Decrypt(5, bytes(32), "system", Purpose.TARGET, "r", {}, bytes(m.MAX_CIPHERTEXT_BYTES)),
    m.GenerateDataKey(6, bytes(32), ACCOUNT, Purpose.API_DATA_KEY, "r", {}, 32),
]


def test_calls_arrive_as_they_left() -> None:
    assert m.decode_calls(msgspec.msgpack.encode(CALLS)) == CALLS


def test_the_longest_ciphertext_holds_the_longest_plaintext() -> None:
    assert m.MAX_CIPHERTEXT_BYTES == 24 + 16 + 32 + MAX_PLAINTEXT_BYTES + 16 + 32, "that is suite 2"


@pytest.mark.parametrize("message", [*CALLS, m.Done(1, SECRET), m.DataKey(1, SECRET, b"")], ids=type)
def test_nothing_prints_its_fields(message: m.Call | m.Answer) -> None:
    assert "horse" not in repr(message) + str(message) + repr([message])


def test_neither_pin_is_printed() -> None:
    configuration = Configuration(command="serve", module="m", token_label="t", pin="correct-pin", data_dir="d")
    assert "correct-pin" not in repr(configuration)
    assert "correct-pin" not in repr(Initialised("kek", "correct-pin", None))
