"""SECURITY 17: events are stored in their final bytes, salted for each account, and nobody's belong to `system`."""

import json

import msgspec
import pytest

from secretsd.domain.audit import commitment
from secretsd.operations.events import EventDocument

pytestmark = pytest.mark.integration
FILES = ("main.db", "audit.db")


@pytest.fixture(scope="module")
def stored(target):
    """Every event of a day's work: changes, reads, refusals, strangers and junk."""
    target.create("app", "plaintext of app")
    target.get("app")
    target.get("none")
    target.user("ann")
    target.daemon.call("GET", "/v1/events", query={"account": "system"})
    target.daemon.call("GET", "/v1/caller-identity", token="secretsd_nobody")
    target.daemon.call("GET", "/v1/no-such-thing")
    target.daemon.call("PUT", "/v1/secrets/app:value", {"text": 5})
    rows = [
        row
        for file in FILES
        for row in target.files.read("SELECT id, account, data, salt, operation, outcome FROM events", file=file)
    ]
    views = [row for file in FILES for row in target.files.read("SELECT id, account, salt FROM event_views", file=file)]
    return rows, views


def test_what_is_stored_is_canonical(stored):
    rows, _ = stored
    assert len(rows) > 10
    for _, _, data, *_ in rows:
        document = msgspec.json.decode(data, type=EventDocument)
        assert msgspec.json.encode(document, order="deterministic") == data
        assert document.v == 1


def test_what_is_shown_is_what_is_stored(target, stored):
    rows, _ = stored
    by_account: dict[str, list[bytes]] = {}
    for _, account, data, *_ in rows:
        by_account.setdefault(account, []).append(data)
    for account, wanted in by_account.items():
        connection = target.daemon.connect()
        body, token = b"", ""
        while True:
            connection.request("GET", f"/v1/events?limit=100&account={account}{token}")
            page = connection.getresponse().read()
            body += page
            following = json.loads(page).get("next_token")
            if following is None:
                break
            token = f"&next_token={following}"
        connection.close()
        assert [data for data in wanted if data not in body] == []


def test_every_salt_is_random_and_each_views_own(stored):
    rows, views = stored
    salts = [salt for *_, salt, _, _ in rows] + [salt for *_, salt in views]
    assert {len(salt) for salt in salts} == {32}
    assert len(set(salts)) == len(salts)
    assert all(len(set(salt)) > 8 for salt in salts)
    for _, _, data, salt, *_ in rows[:5]:
        assert len(commitment(salt, data)) == 32


def test_every_account_that_an_event_names_has_its_view(stored):
    rows, views = stored
    others = {(identifier, account) for identifier, account, _ in views}
    for identifier, first, data, *_ in rows:
        accounts = msgspec.json.decode(data)["accounts"]
        assert accounts[0] == first
        assert {(identifier, account) for account in accounts[1:]} <= others
    assert len(others) == sum(len(msgspec.json.decode(data)["accounts"]) - 1 for _, _, data, *_ in rows)
    assert others


def test_events_without_a_proven_identity_belong_to_the_system(stored):
    rows, _ = stored
    nobodys = [data for *_, data, _, _, outcome in rows if outcome == "unauthenticated"]
    assert nobodys
    for data in nobodys:
        event = msgspec.json.decode(data)
        assert event["accounts"] == ["system"]
        assert "principal" not in event
        assert "proof" not in event
    for _, account, data, *_ in rows:
        event = msgspec.json.decode(data)
        if "principal" not in event:
            assert account == "system"
        else:
            assert event["principal"].split(":")[1] == account


def test_no_stored_event_is_ever_changed(target, stored):
    """Whatever happens afterwards, the bytes stay; a daemon that is started again writes none of them anew."""
    rows, _ = stored
    target.daemon.stop()
    target.daemon.start()
    target.get("app")
    after = {
        row[0]: row
        for file in FILES
        for row in target.files.read("SELECT id, account, data, salt, operation, outcome FROM events", file=file)
    }
    assert [row for row in rows if after.get(row[0]) != row] == []
