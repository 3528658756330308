"""The matrix: every algorithm of every key has its line, and says why not."""

import pytest

from secretsd.adapters.pkcs11.matrix import IMPORT, Ability, matrix
from secretsd.adapters.pkcs11.suites import GCM
from secretsd.domain.algorithms import algorithm_names
from secretsd.domain.envelope import SUITE_AES_256_CBC_HMAC
from secretsd.domain.key_import import WrappingAlgorithm
from secretsd.domain.key_specs import SPECS

BOTH = GCM | {SUITE_AES_256_CBC_HMAC}


def lines(suites: frozenset[int], inabilities: dict[str, str]) -> dict[tuple[str, str, str], Ability]:
    return {(one.spec, one.usage, one.algorithm): one for one in matrix(suites, inabilities)}


def test_no_spec_usage_or_algorithm_is_left_out() -> None:
    wanted = {
        (spec.value, usage.value, algorithm)
        for spec, rules in SPECS.items()
        for usage in rules.usages
        for algorithm in algorithm_names(spec, usage)
    }
    found = lines(BOTH, {})
    assert {line for line in found if line[1] != IMPORT} == wanted
    assert {line[2] for line in found if line[1] == IMPORT} == {one.value for one in WrappingAlgorithm}
    assert {one.reason for one in found.values()} == {""}


@pytest.mark.parametrize(
    ("suites", "said"),
    [
        (BOTH, "1: AES-256-GCM"),
        (GCM, "1: AES-256-GCM"),
        (frozenset({SUITE_AES_256_CBC_HMAC}), "2: AES-256-CBC-HMAC-SHA-256"),
    ],
)
def test_a_new_key_gets_the_best_suite_that_there_is(suites: frozenset[int], said: str) -> None:
    assert lines(suites, {})["AES_256", "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT"].suite == said


def test_a_spec_and_an_algorithm_that_are_missing_say_why() -> None:
    found = lines(BOTH, {"RSA_4096": "makes no RSA keys of 4096 bits", "RSAES_OAEP_SHA_256": "offers no OAEP"})
    for (spec, _, algorithm), one in found.items():
        if spec == "RSA_4096":
            assert one.reason == "makes no RSA keys of 4096 bits"
        else:
            assert one.reason == ("offers no OAEP" if algorithm == "RSAES_OAEP_SHA_256" else "")


def test_a_key_that_cannot_be_made_has_no_suite() -> None:
    found = lines(frozenset({SUITE_AES_256_CBC_HMAC}), {"AES_128": "offers no AES-GCM"})
    assert found["AES_128", "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT"].suite == ""
