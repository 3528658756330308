"""A module that would let a key be had is refused at start, whatever kind of key it lies about."""

import json

import pytest

from secretsd.testing.softhsm import KeyStoreProcess, SoftHSM, run_once

from .conftest import Shim, without

pytestmark = pytest.mark.integration
CONFIGURATION_FAULT = 78
AES_GCM = 0x1087
SENSITIVE, EXTRACTABLE, WRAP_WITH_TRUSTED, PRIVATE, MODIFIABLE, COPYABLE = 0x103, 0x162, 0x210, 0x2, 0x170, 0x171
SIGN, DECRYPT, UNWRAP, DERIVE = 0x108, 0x105, 0x107, 0x10C
VALUE, PRIVATE_EXPONENT = 0x11, 0x123
SECRET_KEYS, PRIVATE_KEYS = 1 << 32, 2 << 32
of_either = pytest.mark.parametrize("which", [SECRET_KEYS, PRIVATE_KEYS], ids=["secret keys", "private keys"])
of_either_suite = pytest.mark.parametrize("standing_now", [(), without(AES_GCM)], ids=["suite 1", "suite 2"])


def probe(token: SoftHSM) -> tuple[bool, str]:
    """Whether the module would be used, and why not."""
    status, output, _ = run_once(token.configuration("probe"))
    found = json.loads(output)
    assert status == 0
    assert found["usable"] is (found["reason"] == "")
    return found["usable"], found["reason"]


def refused(token: SoftHSM, shim: Shim, *faults: str) -> str:
    """Why a module that is so is refused; it must be refused by `serve` as well."""
    shim.fail(*faults)
    usable, reason = probe(token)
    assert not usable
    assert reason.startswith("cannot ")
    process = KeyStoreProcess(token)
    try:
        process.spawn()
        assert not process.heard(b"R")
        assert process.wait() == CONFIGURATION_FAULT
        assert reason in process.log()
    finally:
        process.close()
    return reason


def test_control_an_honest_module_is_used(token: SoftHSM, shim: Shim) -> None:
    shim.fail()
    assert probe(token) == (True, "")
    shim.fail(*without(AES_GCM))
    assert probe(token) == (True, "")


@of_either
@pytest.mark.parametrize(
    ("attribute", "said"),
    [
        (SENSITIVE, "SENSITIVE=False"),
        (WRAP_WITH_TRUSTED, "WRAP_WITH_TRUSTED=False"),
        (EXTRACTABLE, "EXTRACTABLE=False"),
        (PRIVATE, "PRIVATE=False"),
        (MODIFIABLE, "MODIFIABLE=True"),
        (COPYABLE, "COPYABLE=True"),
        (DERIVE, "DERIVE=True"),
        (UNWRAP, "UNWRAP=True"),
    ],
)
def test_a_cmk_with_another_attribute_than_was_asked_for(
    token: SoftHSM, shim: Shim, which: int, attribute: int, said: str
) -> None:
    assert f"a CMK has {said}" in refused(token, shim, f"C_GetAttributeValue flip {which | attribute:#x} -1")


def test_a_resident_key_that_is_extractable_though_it_was_not_to_be(token: SoftHSM, shim: Shim) -> None:
    """Wrapped kinds of private keys are hidden here, so that the resident one is the only one left to lie about."""
    curves, rsa = 0x1040, 0x0
    shim.fail(*without(curves, rsa))
    assert probe(token) == (True, "")
    reason = refused(token, shim, *without(curves, rsa), f"C_GetAttributeValue flip {PRIVATE_KEYS | EXTRACTABLE:#x} -1")
    assert "a CMK has EXTRACTABLE=True" in reason


@of_either_suite
@pytest.mark.parametrize(
    ("which", "attribute"),
    [(SECRET_KEYS, VALUE), (PRIVATE_KEYS, VALUE), (PRIVATE_KEYS, PRIVATE_EXPONENT)],
    ids=["the value of secret keys", "the value of private keys", "the exponent of private keys"],
)
def test_a_module_that_shows_the_value(
    token: SoftHSM, shim: Shim, which: int, attribute: int, standing_now: tuple[str, ...]
) -> None:
    lie = f"C_GetAttributeValue show {which | attribute:#x} -1"
    assert "it shows the value of a CMK" in refused(token, shim, *standing_now, lie)


@of_either_suite
@of_either
def test_a_module_that_wraps_under_keys_that_nobody_trusts(
    token: SoftHSM, shim: Shim, which: int, standing_now: tuple[str, ...]
) -> None:
    reason = refused(token, shim, *standing_now, f"C_WrapKey permit {which:#x} -1")
    assert "a key that is not trusted can wrap a CMK" in reason


@of_either_suite
@of_either
def test_a_module_that_forgets_the_roots_unwrap_template(
    token: SoftHSM, shim: Shim, which: int, standing_now: tuple[str, ...]
) -> None:
    reason = refused(token, shim, *standing_now, f"C_UnwrapKey obey {which:#x} -1")
    assert "a CMK has SENSITIVE=False" in reason


@of_either
def test_a_module_that_copies_a_cmk_with_other_attributes(token: SoftHSM, shim: Shim, which: int) -> None:
    reason = refused(token, shim, f"C_CopyObject copy {which:#x} -1")
    assert "a CMK can be copied with other attributes" in reason


@of_either
def test_a_module_that_changes_a_cmk(token: SoftHSM, shim: Shim, which: int) -> None:
    assert "of a CMK can be changed" in refused(token, shim, f"C_SetAttributeValue set {which:#x} -1")
