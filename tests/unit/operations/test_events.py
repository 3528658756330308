"""Events: canonical bytes, salts of their own, nothing of a value in any of them."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretsd.domain.audit import SALT_BYTES, AuditEvent, ChangedRow
from secretsd.operations import events
from secretsd.operations.registry import OPERATIONS

texts = st.text(max_size=8)
ids = st.binary(min_size=16, max_size=16)
values = texts | st.integers(-5, 5) | st.booleans() | st.lists(texts, max_size=2).map(tuple)
accounts = st.lists(st.sampled_from(["100000000001", "100000000002", "system"]), min_size=1, unique=True).map(tuple)
rows = st.builds(ChangedRow, texts, st.lists(texts, max_size=2).map(tuple), st.integers(0, 9), st.binary(max_size=32))
some_events = st.builds(
    AuditEvent, ids, st.integers(0, 2**48 - 1), accounts, texts, texts, texts, texts, texts, texts,
    st.dictionaries(texts, values, max_size=3), st.lists(rows, max_size=2).map(tuple),
)  # fmt: skip


@given(some_events)
def test_decoding_and_encoding_again_gives_the_same_bytes(event):
    data = events.canonical(event)
    document = msgspec.json.decode(data, type=events.EventDocument)
    assert msgspec.json.encode(document, order="deterministic") == data
    assert events.canonical(event) == data


@given(some_events)
def test_the_order_of_fields_does_not_matter(event):
    other = event._replace(fields=dict(reversed(event.fields.items())))
    assert events.canonical(other) == events.canonical(event)


@given(some_events, some_events)
def test_different_events_have_different_bytes(one, other):
    assert (events.canonical(one) == events.canonical(other)) == (one == other)


@given(some_events)
def test_each_account_concerned_has_a_salt_of_its_own(event):
    record = events.record(event)
    assert tuple(account for account, _ in record.views) == event.accounts
    assert all(len(salt) == SALT_BYTES for _, salt in record.views)
    again = events.record(event)
    salts = {salt for _, salt in record.views} | {salt for _, salt in again.views}
    assert len(salts) == 2 * len(event.accounts)


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda operation: operation.name)
def test_no_operation_audits_a_value(operation):
    hints = {field.name: field.type for field in msgspec.structs.fields(operation.request)}
    assert set(operation.audited) <= set(hints)
    for name in operation.audited:
        assert "Value" not in str(hints[name])
        assert name not in ("text", "binary", "settings", "description", "note", "exclude_characters")


async def test_an_operations_event_tells_no_value(house):
    value = "correct horse battery staple"
    await house.call("CreateSecret", name="app", text=value, description="words", tags={"tag": "shown"})
    await house.call("UpdateSecret", name="app", text=value + "!", description="more words")
    found = str(await house.events())
    for hidden in (value, "words"):
        assert hidden not in found
    assert "'tag=shown'" in found  # tags may decide who may do what


async def test_the_event_of_a_change_names_its_rows_and_their_authenticators(house):
    await house.call("CreateSecret", name="app", text="one")
    (event,) = [one for one in await house.events() if one["operation"] == "CreateSecret"]
    secret = await house.storage.secrets.get(house.account, "app")
    by_table = {table: (key, revision, mac) for table, key, revision, mac in event["changes"]}
    assert by_table["secrets"] == ([house.account, "app"], 0, house.parts.authenticator.mac(secret).hex())
    assert set(by_table) == {"secrets", "secret_versions", "secret_values"}


async def test_an_event_is_found_by_each_of_its_marks(house):
    await house.call("CreateSecret", name="app", text="one")
    await house.call("GetSecretValue", name="app")
    for wanted in (
        {"operation": "GetSecretValue"},
        {"operation": "GetSecretValue", "resource": f"secretsd:{house.account}:secret/app"},
        {"operation": "GetSecretValue", "resource": f"secretsd:{house.account}:secret/*"},
        {"operation": "GetSecretValue", "principal": f"secretsd:{house.account}:user/admin"},
        {"operation": "GetSecretValue", "from_ms": 1_800_000_000_000, "to_ms": 1_900_000_000_000},
    ):
        assert len((await house.call("LookupEvents", **wanted)).events) == 1, wanted
    assert not (await house.call("LookupEvents", operation="GetSecretValue", to_ms=5)).events


@pytest.mark.parametrize("token", ["x", "0", "zz", "é"])
async def test_a_page_token_of_somebody_else_is_refused(house, tools, token):
    with pytest.raises(tools.Failed, match="invalid-request"):
        await house.call("LookupEvents", next_token=token)


@pytest.mark.parametrize("token", ["", "00", "00" * 15, "00" * 17, "ff" * 64])
async def test_a_page_token_of_another_length_is_refused(house, tools, token):
    with pytest.raises(tools.Failed, match="invalid-request"):
        await house.call("LookupEvents", next_token=token)
