"""Plaintext: nothing but reveal() shows it."""

import base64
import copy
import json
import logging
import pickle
import traceback

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretsd.domain.errors import InvalidRequest
from secretsd.domain.sensitive import Plaintext

CANARY = "Tr0ub4dor-and-3"
VALUE = Plaintext(CANARY.encode())


def test_no_text_form_shows_it():
    shown = [repr(VALUE), str(VALUE), f"{VALUE}", f"{VALUE!r:>40}", f"{VALUE:>40}", "%s %r" % (VALUE, VALUE)]  # noqa: UP031
    shown += [str([VALUE]), str({"value": VALUE}), ascii(VALUE), f"{VALUE=}"]
    assert not [text for text in shown if CANARY in text]


def test_it_does_not_travel_by_accident():
    for carry in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps, msgspec.json.encode, msgspec.msgpack.encode):
        with pytest.raises(TypeError) as refused:
            carry(VALUE)
        assert CANARY not in str(refused.value)


def test_it_is_no_key_of_a_mapping_and_has_no_order():
    with pytest.raises(TypeError):
        hash(VALUE)
    with pytest.raises(TypeError):
        VALUE < VALUE  # type: ignore[operator]  # noqa: B015  # that there is no such operator is what is tested
    assert not hasattr(VALUE, "__dict__")


def test_a_traceback_and_a_log_line_show_nothing(caplog):
    def fail(value):
        raise ValueError(f"cannot use {value}")

    with pytest.raises(ValueError, match="cannot use") as failed:
        fail(VALUE)
    told = "".join(traceback.TracebackException.from_exception(failed.value, capture_locals=True).format())
    assert "Plaintext(…)" in told
    # The line of this test itself names the constant, never its text.
    assert CANARY not in told.replace(f"CANARY = '{CANARY}'", "")
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").warning("value %s %r", VALUE, VALUE)
    assert CANARY not in caplog.text


@given(st.binary(max_size=64), st.binary(max_size=64))
def test_equality_is_that_of_the_bytes(one, other):
    assert (Plaintext(one) == Plaintext(other)) == (one == other)
    assert Plaintext(one) != one
    assert len(Plaintext(one)) == len(one)
    assert Plaintext(one).reveal() == one


@given(st.binary(max_size=64))
def test_base64_round_trip(data):
    assert Plaintext.from_base64(base64.b64encode(data)).reveal() == data


@pytest.mark.parametrize(
    "text", [b"a", b"ab=", b"YQ", b"YQ==\n", b"Y Q==", b"Y-_=", b"====", b"YQ==YQ==", b"\xff\xfe\xfd="]
)
def test_what_is_no_base64_is_refused_without_an_echo(text):
    with pytest.raises(InvalidRequest, match=r"^cannot read the binary value: it is not base64$") as refused:
        Plaintext.from_base64(text)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_lone_surrogates_are_no_text():
    with pytest.raises(InvalidRequest) as refused:
        Plaintext.from_text("abc\ud800")
    assert "abc" not in refused.value.message
    assert refused.value.__suppress_context__
