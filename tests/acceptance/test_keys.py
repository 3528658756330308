"""Keys over HTTP, in a daemon of two workers on SoftHSM2: made of every kind, found, named, switched off everywhere."""

import base64
import time
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from secretsd.domain.key_specs import SPECS, KeyFamily, KeySpec
from secretsd.testing.daemon import Daemon
from tests.acceptance.wire import daemon_in_passable_place

pytestmark = pytest.mark.acceptance
NO_SM = [spec for spec, rules in SPECS.items() if not rules.software and rules.bits < 3072]


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with daemon_in_passable_place(workers=2) as daemon:
        yield daemon


def ask(daemon: Daemon, method: str, path: str, body: Any = None, status: int = 200, **query: Any) -> Any:
    """Ask over a new connection, so that either worker may answer."""
    answer = daemon.call(method, path, body, tcp=True, query=query or None)
    assert answer.status == status, answer.body
    return answer.body


@pytest.mark.parametrize("spec", NO_SM)
def test_keys_of_every_kind_are_made_in_the_hsm_and_their_public_halves_are_good(daemon: Daemon, spec: KeySpec) -> None:
    made = ask(daemon, "POST", "/v1/keys", {"spec": spec.value, "tags": {"of": spec.value}})
    assert (made["state"], made["protection_level"]) == ("enabled", "HSM")
    assert ask(daemon, "GET", f"/v1/keys/{made['id']}") == made
    assert [one["id"] for one in ask(daemon, "GET", "/v1/keys", tags=f"of={spec.value}")["keys"]] == [made["id"]]
    if SPECS[spec].asymmetric:
        told = ask(daemon, "GET", f"/v1/keys/{made['id']}:public-key")
        key = serialization.load_der_public_key(base64.b64decode(told["public_key"]))
        assert key == serialization.load_pem_public_key(told["pem"].encode())
        if SPECS[spec].family is not KeyFamily.EDWARDS:
            assert getattr(key, "key_size") == SPECS[spec].bits  # noqa: B009  # not all kinds of public keys have one


def test_the_switch_of_one_worker_is_heard_by_the_other(daemon: Daemon) -> None:
    key = ask(daemon, "POST", "/v1/keys", {"alias": "switched"})["id"]
    made = ask(daemon, "POST", f"/v1/keys/{key}:encrypt", {"plaintext": base64.b64encode(b"x").decode()})
    for _ in range(5):
        for verb, status in (("disable", 409), ("enable", 200)):
            ask(daemon, "POST", f"/v1/keys/alias%2Fswitched:{verb}", {})
            for _ in range(8):  # whichever worker is asked, at once
                ask(daemon, "POST", "/v1/ciphertexts:decrypt", {"ciphertext": made["ciphertext"]}, status)


def test_a_life_from_alias_to_deletion(daemon: Daemon) -> None:
    first, second = [ask(daemon, "POST", "/v1/keys", {"spec": "HMAC_512"})["id"] for _ in range(2)]
    ask(daemon, "POST", "/v1/aliases", {"alias": "prod/mac", "key": first})
    assert ask(daemon, "GET", "/v1/keys/alias/prod/mac")["id"] == first
    ask(daemon, "PATCH", "/v1/aliases/prod/mac", {"key": second})
    assert ask(daemon, "GET", "/v1/keys/alias/prod/mac:versions")["id"] == second
    assert [one["alias"] for one in ask(daemon, "GET", "/v1/aliases", key=second)["aliases"]] == ["prod/mac"]
    ask(daemon, "POST", f"/v1/keys/{second}:set-deletion-protection", {"enabled": True, "reason": "archive"})
    ask(daemon, "POST", f"/v1/keys/{second}:schedule-deletion", {}, 409)
    ask(daemon, "POST", f"/v1/keys/{second}:set-deletion-protection", {"enabled": False})
    ask(daemon, "POST", f"/v1/keys/{second}:schedule-deletion", {"pending_window_days": 6}, 400)
    told = ask(daemon, "POST", f"/v1/keys/{second}:schedule-deletion", {"pending_window_days": 366})
    assert told["state"] == "pending-deletion"
    assert abs(told["deletion_ms"] / 1000 - time.time() - 366 * 86_400) < 60
    assert ask(daemon, "GET", f"/v1/keys/{second}")["guarded_secret_versions"] == 0
    assert ask(daemon, "POST", f"/v1/keys/{second}:cancel-deletion", {}) == {"id": second, "state": "disabled"}
    ask(daemon, "DELETE", "/v1/aliases/prod/mac")
    ask(daemon, "GET", "/v1/keys/alias/prod/mac", status=404)


def test_the_default_key_of_the_account_stays_on(daemon: Daemon) -> None:
    (key,) = ask(daemon, "GET", "/v1/keys", owner="service")["keys"]
    for verb in ("disable", "schedule-deletion"):
        refused = ask(daemon, "POST", f"/v1/keys/{key['id']}:{verb}", {}, 409)
        assert "the service's own" in refused["detail"]
