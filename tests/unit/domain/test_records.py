"""Authenticators: whoever changes one field of one record, or moves it elsewhere, needs another authenticator."""

import re
import typing
from collections.abc import Mapping
from dataclasses import fields, replace
from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretsd.domain.policy import Effect, Statement
from secretsd.domain.records import RECORDS, RecordAuthenticator, TamperedRecord, key_of
from secretsd.domain.schedule import Schedule, Window
from secretsd.testing import samples

AUTHENTICATOR = RecordAuthenticator(bytes(range(32)))
texts = st.text(max_size=6)
statements = st.builds(
    Statement, st.sampled_from(Effect), st.lists(texts, max_size=2).map(tuple), st.lists(texts, max_size=2).map(tuple)
)
windows = st.builds(Window, st.lists(texts, max_size=2).map(tuple), texts, st.integers(0, 9))
schedules = st.builds(
    Schedule,
    st.none() | st.integers(0, 9),
    st.none() | texts,
    texts,
    st.integers(0, 9),
    st.lists(windows, max_size=2).map(tuple),
)
BY_HINT = {
    str: texts,
    int: st.integers(0, 3),
    bytes: st.binary(max_size=4),
    bool: st.booleans(),
    int | None: st.none() | st.integers(0, 3),
    str | None: st.none() | texts,
    tuple[str, ...]: st.lists(texts, max_size=3).map(tuple),
    Mapping[str, str]: st.dictionaries(texts, texts, max_size=3),
    tuple[Statement, ...]: st.lists(statements, max_size=2).map(tuple),
    Schedule: schedules,
}


def records(kind):
    hints = typing.get_type_hints(kind)
    return st.builds(
        kind,
        **{
            part.name: st.sampled_from(hint) if isinstance(hint, type) and issubclass(hint, Enum) else BY_HINT[hint]
            for part in fields(kind)
            if (hint := hints[part.name]) is not None
        },
    )


AUTHENTICATED = [kind for kind, about in RECORDS.items() if about.authenticated]
any_record = st.one_of([records(kind) for kind in AUTHENTICATED])


@given(any_record, any_record)
def test_two_different_records_never_have_one_authenticator(one, other):
    same = type(one) is type(other) and one == other
    assert (AUTHENTICATOR.mac(one) == AUTHENTICATOR.mac(other)) == same


@pytest.mark.parametrize("kind", AUTHENTICATED, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_changing_any_field_changes_the_authenticator(kind, data):
    record = data.draw(records(kind))
    name = data.draw(st.sampled_from([part.name for part in fields(kind)]))
    changed = replace(record, **{name: getattr(data.draw(records(kind)), name)})
    if changed != record:
        with pytest.raises(TamperedRecord):
            AUTHENTICATOR.verify(changed, AUTHENTICATOR.mac(record))
    AUTHENTICATOR.verify(record, AUTHENTICATOR.mac(record))


@given(st.lists(st.tuples(texts, texts), max_size=4), st.lists(st.tuples(texts, texts), max_size=4))
def test_mappings_count_by_what_they_hold_not_by_their_order(one, other):
    first, second = samples.secret(tags=dict(one)), samples.secret(tags=dict(reversed(dict(other).items())))
    assert (AUTHENTICATOR.mac(first) == AUTHENTICATOR.mac(second)) == (dict(one) == dict(other))


def test_neighbouring_fields_do_not_run_into_each_other():
    one, other = samples.binding("unix:uid/10"), samples.binding("unix:uid/1")
    assert AUTHENTICATOR.mac(one) != AUTHENTICATOR.mac(replace(other, account="0" + other.account))
    assert AUTHENTICATOR.mac(samples.account()) != AUTHENTICATOR.mac(replace(samples.account(), name=""))


@pytest.mark.parametrize("record", samples.every_kind(), ids=lambda record: type(record).__name__)
def test_another_key_makes_another_authenticator(record):
    mine, theirs = AUTHENTICATOR.mac(record), RecordAuthenticator(bytes(32)).mac(record)
    about = RECORDS[type(record)]
    assert (mine != theirs) == about.authenticated
    assert len(mine) == (32 if about.authenticated else 0)
    assert key_of(record) == tuple(str(getattr(record, name)) for name in about.key)


@pytest.mark.parametrize("mac", [b"", bytes(32), bytes(31), bytes(64)])
def test_no_made_up_authenticator_passes(mac):
    with pytest.raises(TamperedRecord, match=r"^cannot trust a record of users: "):
        AUTHENTICATOR.verify(samples.user(), mac)


def test_the_refusal_names_the_table_and_no_field():
    with pytest.raises(TamperedRecord) as refused:
        AUTHENTICATOR.verify(samples.token(), bytes(32))
    assert not re.search(r"(?:ab){4}|\bann\b|t-1", refused.value.message)


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_key_of_another_size_is_refused(size):
    with pytest.raises(ValueError, match="32 bytes"):
        RecordAuthenticator(bytes(size))
