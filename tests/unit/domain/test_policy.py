"""Policies: default deny, deny wins, nothing crosses accounts, and no pattern is slow."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretsd.domain.conditions import KnownFacts
from secretsd.domain.decisions import Sides
from secretsd.domain.names import Resource
from secretsd.domain.policy import Effect, Statement
from secretsd.domain.policy_rules import Rules, Who

OWN, OTHER = "100000000001", "100000000002"
ANN = Who(OWN, "user/ann")


def allow(*resources, actions=("*",)):
    return Statement(Effect.ALLOW, actions, resources)


def deny(*resources, actions=("*",)):
    return Statement(Effect.DENY, actions, resources)


def rules(*statements, account=OWN):
    return Sides((Rules("policy/p", account, statements),))


def may(found, path, operation="GetSecretValue", account=OWN):
    return found.narrowed(ANN, operation, Resource(account, path)).decide(KnownFacts({})).allowed


def test_nothing_is_allowed_by_default():
    assert not may(Sides(()), "secret/a")
    assert not may(rules(allow("secret/b")), "secret/a")


def test_an_explicit_deny_wins_whatever_the_order():
    for statements in ([allow("*"), deny("secret/root")], [deny("secret/root"), allow("*")]):
        found = rules(*statements)
        assert may(found, "secret/app")
        assert not may(found, "secret/root")


def test_a_deny_counts_from_another_policy_too():
    found = Sides((Rules("a", OWN, [allow("*")]), Rules("b", OWN, [deny("secret/x")])))
    assert not may(found, "secret/x")


def test_actions_are_globs_over_operations():
    found = rules(allow("secret/*", actions=("Get*", "ListSecrets")))
    assert may(found, "secret/a", "GetSecretValue")
    assert may(found, "secret/a", "ListSecrets")
    assert not may(found, "secret/a", "PutSecretValue")
    assert not may(found, "secret/a", "getsecretvalue")


def test_brackets_are_themselves():
    found = rules(allow("secret/[ab]", "secret/!x"))
    assert not may(found, "secret/a")
    assert may(found, "secret/[ab]")
    assert may(found, "secret/!x")


def test_a_star_stops_before_system_and_other_accounts():
    everything = rules(allow("*", "secretsd:100000000001:*"))
    assert may(everything, "proof/unix:uid/0")
    assert not may(everything, "proof/unix:uid/0", account="system")
    assert not may(everything, "secret/a", account=OTHER)


def test_system_is_reached_only_by_its_name():
    named = rules(allow("secretsd:system:proof/*"))
    assert may(named, "proof/unix:uid/7", account="system")
    assert not may(named, "account/1", account="system")
    assert not may(named, "proof/unix:uid/7")


def test_another_account_is_reached_by_nothing():
    assert not may(rules(allow(f"secretsd:{OTHER}:*")), "secret/a", account=OTHER)


def test_a_policy_of_another_account_speaks_of_its_own_resources():
    assert not may(rules(allow("*"), account=OTHER), "secret/a")


# What is listed is named by a prefix and a star, so a pattern must cover all names that the star may stand for.
patterns = st.text(st.sampled_from("ab/*?"), min_size=1, max_size=8)


@given(pattern=patterns, prefix=st.text(st.sampled_from("ab/"), max_size=4), rest=st.text("ab/", max_size=4))
def test_who_may_list_a_prefix_may_see_every_name_under_it(pattern, prefix, rest):
    found = rules(allow(pattern))
    if may(found, f"{prefix}*", "ListSecrets"):
        assert may(found, prefix + rest, "ListSecrets")


@given(
    pattern=st.text(st.sampled_from("ab[]!^-\\.+*?"), min_size=1, max_size=12), path=st.text("ab[]!^-\\.+", max_size=12)
)
def test_globs_match_as_two_wildcards_say(pattern, path):
    said = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    assert may(rules(allow(pattern)), path) == bool(re.fullmatch(said, path, re.DOTALL))


@pytest.mark.parametrize("pattern", ["*a" * 299 + "b", "*" * 600, "a*" * 300, "?*" * 300, "*a?b" * 150])
def test_no_pattern_can_blow_up(pattern):
    found = rules(*[allow(*[pattern + str(number) for number in range(20)])] * 5)
    started = time.monotonic()
    for path in ("secret/" + "a" * 500, "ab" * 250, "a" * 499 + "b"):
        may(found, path)
    assert time.monotonic() - started < 10
