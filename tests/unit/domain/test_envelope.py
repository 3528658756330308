"""Ciphertext headers and contexts: one reading for every string of bytes, and nothing else is read at all."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretsd.domain.envelope import (
    IV_BYTES,
    TAG_BYTES,
    VERSION,
    CiphertextHeader,
    Purpose,
    ValueHeader,
    canonical_context,
    data_key_id,
    secret_context,
)
from secretsd.domain.errors import InvalidCiphertext

cmk_headers = st.builds(
    CiphertextHeader,
    st.integers(0, 255),
    st.sampled_from(Purpose),
    st.uuids().map(str),
    st.integers(0, 2**32 - 1),
    st.binary(max_size=255),
)
value_headers = st.builds(
    ValueHeader, st.sampled_from(Purpose), st.binary(min_size=16, max_size=16), st.binary(min_size=12, max_size=12)
)
bodies = st.binary(min_size=TAG_BYTES, max_size=64)
contexts = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=4)
CMK_HEADER = CiphertextHeader(1, Purpose.SECRET_DATA_KEY, str(uuid.UUID(int=7)), 1, bytes(IV_BYTES))
VALUE_HEADER = ValueHeader(Purpose.SECRET_VALUE, bytes(16), bytes(IV_BYTES))


@given(cmk_headers, bodies)
def test_a_cmk_ciphertext_reads_back(header, body):
    packed = header.pack()
    assert CiphertextHeader.split(packed + body) == (header, packed, body)


@given(value_headers, bodies)
def test_a_sealed_value_reads_back(header, body):
    packed = header.pack()
    assert ValueHeader.split(packed + body) == (header, packed, body)


@given(st.binary(max_size=120))
def test_bytes_of_anybody_are_refused_or_read_one_way(data):
    for kind in (CiphertextHeader, ValueHeader):
        try:
            header, packed, rest = kind.split(data)
        except InvalidCiphertext:
            continue
        assert packed + rest == data
        assert header.pack() == packed


@pytest.mark.parametrize("header", [CMK_HEADER, VALUE_HEADER], ids=["cmk", "value"])
def test_every_truncation_is_refused(header):
    whole = header.pack() + bytes(TAG_BYTES)
    type(header).split(whole)
    for size in range(len(whole)):
        with pytest.raises(InvalidCiphertext):
            type(header).split(whole[:size])


@pytest.mark.parametrize("header", [CMK_HEADER, VALUE_HEADER], ids=["cmk", "value"])
def test_every_other_version_and_purpose_is_refused(header):
    whole = bytearray(header.pack() + bytes(TAG_BYTES))
    for position, known in ((0, {VERSION}), (2, set(Purpose))):
        for byte in set(range(256)) - known:
            changed = whole.copy()
            changed[position] = byte
            with pytest.raises(InvalidCiphertext):
                type(header).split(bytes(changed))


@given(contexts, contexts)
def test_contexts_have_one_form_each(one, other):
    assert (canonical_context(one) == canonical_context(other)) == (one == other)
    assert canonical_context(dict(reversed(one.items()))) == canonical_context(one)


identities = st.tuples(*[st.text("ab", min_size=1, max_size=3)] * 3)


@given(identities, identities)
def test_what_a_secret_is_bound_to_cannot_shift_between_its_parts(one, other):
    same = canonical_context(secret_context(*one)) == canonical_context(secret_context(*other))
    assert same == (one == other)


def test_the_bytes_are_those_that_the_documentation_says():
    assert canonical_context({"b": "2", "a": "é"}).hex() == ("00000002000000016100000002c3a900000001620000000132")
    assert CMK_HEADER.pack().hex() == "010110" + "00" * 15 + "07000000010c" + "00" * 12
    assert VALUE_HEADER.pack().hex() == "010111" + "00" * 16 + "00" * 12


def test_the_api_reaches_the_purposes_below_sixteen_only():
    reached = [purpose.name for purpose in Purpose if not purpose.internal]
    assert reached == ["API_CIPHERTEXT", "API_DATA_KEY", "API_SIGNATURE", "API_MAC"]


@given(st.binary(max_size=64))
def test_a_data_keys_name_is_sixteen_bytes_of_its_ciphertext(wrapped):
    assert len(data_key_id(wrapped)) == 16
    assert data_key_id(wrapped) != data_key_id(wrapped + b"\0")
