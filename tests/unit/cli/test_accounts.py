"""Accounts from the command line: the token of a new administrator is printed alone where a file is to have it."""

import json

import pytest

ACCOUNT = {
    "account": "123456789012",
    "account_name": "acme",
    "resource": "secretsd:system:account/123456789012",
    "default_key": "11111111-2222-4333-8444-555555555555",
    "created_ms": 0,
}
MADE = {
    **{name: ACCOUNT[name] for name in ("account", "account_name", "resource", "default_key")},
    "administrator": "ann",
    "token": "secretsd_of-ann",
    "expires_ms": 3_600_000,
}


def test_a_new_account_is_told_with_its_first_token(ctl, wire) -> None:
    wire.answer("CreateAccount", MADE)
    done = ctl("account", "create", "acme")
    assert done.code == 0, done.err
    assert wire.body("CreateAccount") == {"account_name": "acme"}
    for told in ("123456789012", "ann", "secretsd_of-ann", "1970-01-01"):
        assert told in done.text


def test_the_token_alone_goes_into_a_file(ctl, wire) -> None:
    wire.answer("CreateAccount", MADE)
    done = ctl("account", "create", "acme", "--administrator", "ann", "--ttl", "4h", "-o", "raw")
    assert done.text.strip() == "secretsd_of-ann"
    assert wire.body("CreateAccount") == {"account_name": "acme", "administrator": "ann", "ttl_seconds": 14_400}


@pytest.mark.parametrize(("form", "shown"), [("raw", "123456789012\n"), ("table", "acme"), ("json", '"acme"')])
def test_accounts_are_listed(ctl, wire, form, shown) -> None:
    wire.answer("ListAccounts", {"accounts": [ACCOUNT]})
    assert shown in ctl("account", "list", "-o", form).text


def test_an_account_is_described_and_renamed(ctl, wire) -> None:
    wire.answer("DescribeAccount", ACCOUNT)
    assert json.loads(ctl("account", "describe", "123456789012", "-o", "json").text)["account_name"] == "acme"
    wire.answer("UpdateAccount", ACCOUNT)
    assert ctl("account", "rename", "123456789012", "acme").code == 0
    assert wire.body("UpdateAccount") == {"account_name": "acme"}


OF_ACCOUNTS = (
    ("account", "describe"),
    ("account", "rename", "--", "acme", "acme-europe"),
    ("proof-space", "create", "unix:uid/2000-2999", "--account"),
    ("token-issuer", "create", "ci", "--issuer", "https://ci.example", "--account"),
    ("certificate-authority", "create", "ca", "--certificates", "-", "--account"),
    ("audit", "lookup", "--account"),
)


@pytest.mark.parametrize("command", OF_ACCOUNTS, ids=" ".join)
@pytest.mark.parametrize("name", ["acme", "12345678901", "1234567890123", "١٢٣٤٥٦٧٨٩٠١٢", ""])
def test_the_name_of_an_account_in_place_of_its_number_is_told_with_where_numbers_are(ctl, wire, command, name) -> None:
    done = ctl(*(name if one == "acme" else one for one in command), *(() if "acme" in command else (name,)))
    assert (done.code, done.out) == (1, b"")
    assert "an account is named by its twelve digits; secretsctl account list shows them" in done.err
    assert "state: nothing was sent" in done.err
    assert not wire.sent


def test_an_account_that_is_not_there_is_told_with_where_they_are_listed(ctl, wire) -> None:
    wire.refuse("DescribeAccount", 404, "not-found")
    done = ctl("account", "describe", "123456789012")
    assert done.code == 3
    assert "secretsctl account list" in done.err


def test_the_account_of_operators_has_events(ctl, wire) -> None:
    wire.answer("LookupEvents", {"events": []})
    assert ctl("audit", "lookup", "--account", "system").code == 0
    assert "system is" not in ctl("account", "describe", "system").err
    assert ctl("account", "describe", "system").code == 1


def test_what_is_not_of_a_form_is_told_without_a_pattern(ctl, wire) -> None:
    done = ctl("grant", "create", "alias/a", "--to", "acme", "--allow", "Encrypt")
    assert (done.code, wire.sent) == (1, [])
    assert "a text that is not of the form asked for - at `$.grantee`" in done.err
    assert "regex" not in done.err
