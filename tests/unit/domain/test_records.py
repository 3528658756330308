"""Authenticators: whoever changes one field of one record, or moves it elsewhere, needs another authenticator."""

import re
import typing
from collections.abc import Mapping
from dataclasses import fields, replace
from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretsd.domain.conditions import Condition
from secretsd.domain.policy import Effect, InlinePolicy, Statement
from secretsd.domain.records import RECORDS, RecordAuthenticator, TamperedRecord, key_of
from secretsd.domain.rotation import Rotation
from secretsd.domain.schedule import Schedule, Window
from secretsd.testing import samples

AUTHENTICATOR = RecordAuthenticator(bytes(range(32)))
FIRST_RELEASE = {
    "Account": "d2d001f015d3d72222cad8952a8d92421c9ed25fe68387d703cf2062180c85c8",
    "User": "a1d06546e094adf00bd56324c0bbe55a6502054b7da76c0a5e959260ae369a7e",
    "Token": "d725415c59ec98b9bb9c233a5f7e330dcbcaa03591ee0e9962218c791e701b67",
    "Binding": "a42992f8ce249c05473d09e8d946120473fa342b8427ef701c2c90e6b5570a70",
    "Policy": "3cd1ad7872a6006f1195bfde747f898ba7967cd23b0c7aaae65efbba186570a4",
    "CMK": "fdf3888beca9c2f43038eed0c1adbbdb67f1daa399abc3b04f06670d145a3a89",
    "WrappedKey": "b3c72d0aba0d51eeac6a2e78d8c59a20d62968b68fc7653f3e469fb2c43603c2",
    "Secret": "800f091e2b67e770253fd4c23f87efe442970e5237da438976ff65476b4ff049",
    "SecretVersion": "4d2bcd42397b62e2306fd77576bcb4f4d29524e0c4e4fde413f00c40186af758",
    "Rotation": "b240e56ec55e93e96ed33fd5bd3ce7c208a16a9e129364e919f0277d3bea1b58",
}
"""What the first release stored beside its samples, under the key above; computed by that release."""
texts = st.text(max_size=6)
statements = st.builds(
    Statement, st.sampled_from(Effect), st.lists(texts, max_size=2).map(tuple), st.lists(texts, max_size=2).map(tuple)
)
texts_of_one = st.lists(texts, max_size=2).map(tuple)
conditions = st.builds(Condition, texts, texts, texts_of_one)
later_statements = st.builds(
    Statement,
    st.sampled_from(Effect),
    *(texts_of_one, texts_of_one, texts, texts_of_one, texts_of_one, texts_of_one),
    st.lists(conditions, max_size=2).map(tuple),
)
all_statements = st.lists(statements | later_statements, max_size=2).map(tuple)
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
    tuple[Statement, ...]: all_statements,
    tuple[InlinePolicy, ...]: st.lists(st.builds(InlinePolicy, texts, all_statements), max_size=2).map(tuple),
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


@pytest.mark.parametrize("kind", FIRST_RELEASE)
def test_what_the_first_release_stored_is_still_trusted(kind):
    (record,) = [one for one in samples.every_kind() if type(one).__name__ == kind]
    AUTHENTICATOR.verify(record, bytes.fromhex(FIRST_RELEASE[kind]))


def later(kind):
    """The names of a record's fields that came with a later release than the first."""
    names = [part.name for part in fields(kind)]
    return names[names.index("revision") + 1 :]


def test_there_is_a_sample_with_every_later_field_at_another_value():
    plain = {type(one): one for one in samples.every_kind()}
    found = {type(one): one for one in samples.later_fields()}
    for kind in RECORDS:
        at_default = [name for name in later(kind) if kind not in found or _same(found[kind], plain[kind], name)]
        assert at_default == [], kind.__name__
    assert [one.schedule.windows for one in found.values() if isinstance(one, Rotation)] != [Schedule().windows]


def _same(one, other, name):
    return getattr(one, name) == getattr(other, name)


@pytest.mark.parametrize(
    ("record", "name"), [(record, name) for record in samples.later_fields() for name in later(type(record))]
)
def test_a_later_field_that_is_set_is_authenticated(record, name):
    (plain,) = [one for one in samples.every_kind() if type(one) is type(record)]
    assert AUTHENTICATOR.mac(replace(record, **{name: getattr(plain, name)})) != AUTHENTICATOR.mac(record)


def test_two_later_fields_of_one_type_cannot_be_exchanged():
    rotation = samples.rotation()
    flags = [replace(rotation, cancelled=True), replace(rotation, away=True), replace(rotation, restored=True)]
    assert len({AUTHENTICATOR.mac(one) for one in flags}) == len(flags)
    assert AUTHENTICATOR.mac(replace(rotation, run=7)) != AUTHENTICATOR.mac(replace(rotation, steps=7))
    windows = (Window(("sat",), "02:00", 60),)
    with_windows = replace(rotation, schedule=replace(rotation.schedule, windows=windows))
    assert AUTHENTICATOR.mac(with_windows) != AUTHENTICATOR.mac(rotation)


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
