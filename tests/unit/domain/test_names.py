"""Names: the alphabet, the segments, and that a refusal never repeats what was sent."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretsd.domain.errors import InvalidRequest
from secretsd.domain.names import (
    ACCOUNT_PATTERN,
    MAX_NAME_LENGTH,
    NAME_PATTERN,
    STAGE_PATTERN,
    VERSION_ID_PATTERN,
    WORD_PATTERN,
    Resource,
    is_account,
    require_name,
    require_word,
)

ALPHABET = "ABCXYZabcxyz0189_+=.@!-"
segments = st.text(st.sampled_from(ALPHABET), min_size=1, max_size=20).filter(lambda text: text not in (".", ".."))
names = st.lists(segments, min_size=1, max_size=8).map("/".join)


@given(names)
def test_legal_segments_make_a_legal_name(name):
    assert require_name(name, "name") == name


@pytest.mark.parametrize(
    "name",
    [
        "", "/", "a/", "/a", "a//b", ".", "..", "a/.", "a/..", "./a", "../a", "a/../b", "a/./b", "a b", "a\n", "a/b\n",
        "a:b", "a%2Fb", "a\\b", "a\0", "ä", "a*", "a?", "a" * (MAX_NAME_LENGTH + 1), "\u212a", "a\u2028", "..\n",
    ],
)  # fmt: skip
def test_anything_else_is_refused_without_an_echo(name):
    with pytest.raises(InvalidRequest) as refused:
        require_name(name, "name of the secret")
    assert refused.value.message.startswith("cannot accept the name of the secret")
    if len(name) > 3 and not name.isspace():
        assert name not in refused.value.message


@given(st.text(max_size=40))
def test_whatever_is_accepted_is_safe_in_a_path(text):
    try:
        require_name(text, "name")
    except InvalidRequest:
        return
    assert text.isascii()
    assert not set(text) & set(":%?#*[]\\ \t\r\n\0")
    assert all(segment not in ("", ".", "..") for segment in text.split("/"))


@pytest.mark.parametrize("pattern", [NAME_PATTERN, WORD_PATTERN, VERSION_ID_PATTERN, STAGE_PATTERN, ACCOUNT_PATTERN])
def test_no_pattern_looks_past_a_final_line_break(pattern):
    good = "123456789012"
    assert re.search(pattern, good)
    assert not re.search(pattern, good + "\n")
    assert not re.search(pattern, "\n" + good)


@pytest.mark.parametrize("word", ["", "a/b", "a b", "a!", "a" * 129, "ä"])
def test_words_are_single_segments(word):
    with pytest.raises(InvalidRequest):
        require_word(word, "name of the user")
    assert require_word("ann.smith@example", "name of the user") == "ann.smith@example"


def test_accounts_are_twelve_ascii_digits_or_system():
    assert is_account("100000000001")
    assert is_account("system")
    for text in ("1" * 11, "1" * 13, "١" * 12, "System", "*", "system\n", ""):
        assert not is_account(text)


@given(st.sampled_from(["100000000001", "system"]), st.text(min_size=1, max_size=30))
def test_resources_read_back_as_they_were_written(account, path):
    resource = Resource(account, path)
    assert Resource.parse(str(resource)) == resource


@pytest.mark.parametrize(
    "text", ["", "secretsd", "secretsd:1:a", "arn:100000000001:a", "secretsd:100000000001:", "a:b:c"]
)
def test_no_other_form_is_a_resource(text):
    with pytest.raises(InvalidRequest, match=r"^cannot read the resource"):
        Resource.parse(text)
