"""Documents that JSON leaves open are refused with the line, and none costs more than its length."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretsd.domain.policy_document import MAX_DOCUMENT_BYTES, InvalidPolicy, read, text

PERMISSIONS = ("GetSecretValue", "Decrypt")
CANARY = "canary-text"


def document(resource: str = '"secret/a"', sid: str = '"s"', condition: str = "{}", more: str = "") -> str:
    """Line 3 is the resource's, line 4 the Sid's, line 5 the condition's, line 6 `more`."""
    return (
        '{"Version": "1",\n"Statement": {"Effect": "Allow", "Action": "*",\n'
        f'"Resource": {resource},\n"Sid": {sid},\n"Condition": {condition}\n{more}}}}}'
    )


def tagged(value: str) -> str:
    return document(condition=f'{{"StringEquals": {{"secretsd:PrincipalTag/t": {value}}}}}')


def refused(written: str) -> InvalidPolicy:
    with pytest.raises(InvalidPolicy) as error:
        read(written, PERMISSIONS)
    assert CANARY not in str(error.value)
    return error.value


def test_what_is_well_written_is_read():
    (statement,) = read(document(sid='"\\ud83d\\ude00"'), PERMISSIONS)
    assert (statement.sid, statement.resources) == ("\U0001f600", ("secret/a",))


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ('{"Version": "1",\n"Version": "1"}', 2),
        ('{"Statement": [],\n"Version": "1",\n\n"Statement": []}', 4),
        (document(more=', "Effect": "Deny"'), 6),
        (document(more=', "\\u0045ffect": "Deny"'), 6),
        (document(condition='{"Bool": {},\n\n"Bool": {}}'), 7),
        (document(condition=f'{{"StringEquals": {{"{CANARY}": "1",\n"{CANARY}": "2"}}}}'), 6),
        (f'[{{"{CANARY}": 1,\n"{CANARY}": 1}}]', 2),
    ],
)
def test_a_name_that_an_object_has_twice_is_refused_with_its_line(written: str, line: int):
    error = refused(written)
    assert (error.line, error.problem) == (line, "an object has a name twice")


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_refused_with_its_line(value: str):
    assert refused(value).line == 1
    for written, line in (
        (document(resource=value), 3),
        (document(resource=f'["a",\n{value}]'), 4),
        (tagged(value), 5),
    ):
        assert (refused(written).line, refused(written).problem) == (line, "NaN and Infinity are no JSON")


@pytest.mark.parametrize("value", ["0", "-0", "1.0", "1.10", "1e2", "1E400", "12345678901234567890.5", "9" * 600])
def test_a_number_stands_for_what_is_written(value: str):
    """1.10 is not 1.1, and what is beyond any float is not inf."""
    for written in (tagged(value), tagged(f'"{value}"')):
        ((condition,),) = (one.conditions for one in read(written, PERMISSIONS))
        assert condition.values == (value,)


def test_true_and_false_stand_for_their_words():
    ((condition,),) = (one.conditions for one in read(tagged("[true, false]"), PERMISSIONS))
    assert condition.values == ("true", "false")


@pytest.mark.parametrize("value", ["1", "1.5", "9" * 5000, "1e999", "true", "null"])
def test_a_number_is_no_name(value: str):
    assert refused(document(resource=value)).line == 3
    assert refused(document(sid=value)).line == 4
    assert refused(tagged("9" * 5000)).line == 5
    assert refused(f'{{"Version": {value},\n"Statement": []}}').problem == 'it has no "Version": "1"'


@pytest.mark.parametrize("half", ["\\ud800", "\\udfff", "\\ude00\\ud83d", "\ud800", "a\\uDBFFb"])
def test_half_of_a_surrogate_pair_is_refused_with_its_line(half: str):
    for written, line in (
        (document(resource=f'"secret/{half}"'), 3),
        (document(sid=f'"{half}"'), 4),
        (tagged(f'"{half}"'), 5),
        (document(condition=f'{{"StringEquals": {{"secretsd:PrincipalTag/{half}": "a"}}}}'), 5),
        (document(more=f', "{half}": 1'), 6),
    ):
        assert (refused(written).line, refused(written).problem) == (line, "half of a surrogate pair is no text")


@pytest.mark.parametrize("begun", ["[", '{"a": ', '[{"a": '])
def test_what_is_nested_deep_is_refused_with_its_line(begun: str):
    assert refused(begun * (30_000 // len(begun))).problem == "it is nested too deep"
    assert refused(document(resource="\n[" * 40 + "]" * 40)).line > 30


def test_no_document_takes_long():
    room = MAX_DOCUMENT_BYTES - 200
    worst = (
        "[" * room, '"' * room, "\n" * room, "9" * room, "\\" * room, '{"a":' * (room // 5), "[1," * (room // 3),
        document(resource="[" + '"\\u0061",' * (room // 9) + '"a"]'), document(sid='"' + "\\n" * (room // 2) + '"'),
        "{" + ",".join(f'"{number}": {number}' for number in range(room // 15)) + "}",
    )  # fmt: skip
    began = time.process_time()
    for written in worst:
        refused(written)
    assert time.process_time() - began < 5


def test_its_length_is_that_of_its_bytes():
    refused("é" * (MAX_DOCUMENT_BYTES // 2 + 1))
    assert refused("\ud800" * MAX_DOCUMENT_BYTES).problem == f"it is longer than {MAX_DOCUMENT_BYTES} bytes"


@given(st.text(alphabet='{}[]":,\\u d8EINaf0123\n.-tr', max_size=60))
def test_whatever_is_written_is_read_or_refused(written: str):
    for whole in (written, document(resource=written), tagged(written), document(more=written)):
        try:
            read(text(read(whole, PERMISSIONS)), PERMISSIONS)
        except InvalidPolicy as error:
            line = error.line
        else:
            line = 1
        assert 1 <= line <= whole.count("\n") + 1
