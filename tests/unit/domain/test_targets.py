"""Who may rotate what at a target: the accounts that it lists, the logins that their globs match, never its own."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretsd.domain.errors import AccessDenied
from secretsd.domain.targets import admin_context, login_matches
from secretsd.testing import samples

TARGET = samples.target()
STRANGER = "100000000003"
texts = st.text(max_size=8)


@pytest.mark.parametrize("login", ["app_", "app_a", "app_a_b", "reporting"])
def test_an_account_may_rotate_what_one_of_its_globs_matches(login):
    TARGET.require_login(samples.ACCOUNT, login)


@pytest.mark.parametrize(
    ("account", "login"),
    [
        (samples.ACCOUNT, "app"),
        (samples.ACCOUNT, "my_app_a"),
        (samples.ACCOUNT, "App_a"),
        (samples.ACCOUNT, "reporting_too"),
        (samples.ACCOUNT, "reporting\napp_a"),
        (samples.ACCOUNT, "*"),
        (samples.ACCOUNT, ""),
        (STRANGER, "app_a"),
        ("", "app_a"),
        ("system", "app_a"),
    ],
)
def test_what_no_glob_of_the_account_matches_is_refused(account, login):
    with pytest.raises(AccessDenied, match=r"^cannot use the target: "):
        TARGET.require_login(account, login)


@pytest.mark.parametrize("patterns", ["*", "rotator", "rot*\n*"])
def test_nobody_may_rotate_the_administrator_whatever_the_globs_say(patterns):
    target = replace(TARGET, logins={samples.ACCOUNT: patterns})
    with pytest.raises(AccessDenied):
        target.require_login(samples.ACCOUNT, target.admin_login)
    replace(target, admin_login="another").require_login(samples.ACCOUNT, TARGET.admin_login)


def test_the_refusal_names_neither_login_nor_account():
    with pytest.raises(AccessDenied) as refused:
        TARGET.require_login(STRANGER, "their_login")
    assert not any(word in refused.value.message for word in (STRANGER, "their_login", samples.ACCOUNT, "app_"))


@given(texts)
def test_a_pattern_without_a_star_matches_itself_alone(pattern):
    plain = pattern.replace("*", "")
    assert login_matches(plain, plain)
    assert not login_matches(plain, plain + "x")
    assert not login_matches(plain, "x" + plain)


@given(texts, texts, texts)
def test_a_star_stands_for_any_text_and_nothing_else_is_special(before, middle, after):
    before, after = before.replace("*", ""), after.replace("*", "")
    assert login_matches(f"{before}*{after}", before + middle + after)
    assert login_matches("*", before + middle + after)


@pytest.mark.parametrize(("pattern", "login"), [("app?", "app1"), ("app[12]", "app1"), ("app[!x]", "app1")])
def test_what_other_globs_know_is_only_text(pattern, login):
    assert not login_matches(pattern, login)
    assert login_matches(pattern, pattern)


def test_many_stars_are_decided_at_once():
    assert not login_matches("*a" * 60, "a" * 59)
    assert not login_matches("a*" * 60 + "b", "a" * 128)


def test_the_credential_is_bound_to_target_address_and_login():
    bound = admin_context("id-1", '{"host":"a"}', "rotator")
    others = [
        admin_context("id-2", '{"host":"a"}', "rotator"),
        admin_context("id-1", '{"host":"b"}', "rotator"),
        admin_context("id-1", '{"host":"a"}', "another"),
    ]
    assert bound not in others
    assert bound["account"] == "system"
