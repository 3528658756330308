"""The crowd of a benchmark: so many principals, five proofs and two hundred statements for each of them."""

import base64
import json
import time
from collections import Counter

import pytest

from benchmarks.crowd import Crowd, Signers, proofs_of, token_of, users_of
from secretsd.domain.certificate_names import certificate_proofs
from secretsd.domain.credentials import Token
from secretsd.domain.policy import Policy
from secretsd.domain.principals import Group, Role, User
from secretsd.domain.proofs import Binding
from secretsd.operations.authenticator import token_digest
from secretsd.operations.certificate_chains import names

ACCOUNT, SIZE = "900000000001", 100


@pytest.fixture(scope="module")
def records():
    return list(Crowd(ACCOUNT, SIZE).records("{}", "", 1))


def of(records, kind):
    return [record for record in records if isinstance(record, kind)]


def test_everybody_is_a_user_with_a_token_or_a_role(records):
    users, roles = of(records, User), of(records, Role)
    assert len(users) + len(roles) == SIZE
    assert len(users) == len(users_of(SIZE)) == 80
    assert {token.digest for token in of(records, Token)} == {token_digest(token_of(one)) for one in users_of(SIZE)}


def test_five_proofs_of_all_kinds_lead_to_everybody_and_to_nobody_else(records):
    led = Counter(binding.user or binding.role for binding in of(records, Binding))
    assert set(led.values()) == {5}
    assert len(led) == SIZE
    assert len({binding.proof for binding in of(records, Binding)}) == 5 * SIZE
    kinds = Counter(binding.proof.partition(":")[0] for binding in of(records, Binding))
    assert kinds == {"unix": SIZE, "systemd": SIZE, "jwt": SIZE, "tls": 2 * SIZE}


def test_two_hundred_statements_speak_about_everybody_and_all_that_is_named_is_there(records):
    policies = {policy.name: len(policy.statements) for policy in of(records, Policy)}
    groups = {group.name: group.policies for group in of(records, Group)}
    for holder in (*of(records, User), *of(records, Role)):
        joined = holder.groups if isinstance(holder, User) else ()
        attached = (*holder.policies, *(policy for group in joined for policy in groups[group]))
        assert sum(policies[policy] for policy in attached) == 200
        assert len(set(attached)) == 4


def test_a_certificate_makes_the_proofs_that_are_bound():
    made = certificate_proofs("crowd", *names(Signers.make().certificate(7).certificate))
    assert set(made) == set(proofs_of(7)[3:])


def test_a_jwt_says_who_it_is_and_is_good_for_an_hour():
    now_ms = time.time_ns() // 1_000_000
    payload = Signers.make().jwt(7, now_ms).split(".")[1]
    said = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert proofs_of(7)[2].endswith(said["sub"])
    assert said["exp"] - now_ms // 1000 == 3600
