"""What can be done with which key in this module: each spec, usage and algorithm, and why not where it cannot."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from secretsd.adapters.pkcs11.suites import SUITES, suite_of_new_keys
from secretsd.domain.algorithms import EncryptionAlgorithm, algorithm_names
from secretsd.domain.key_import import WrappingAlgorithm
from secretsd.domain.key_specs import SPECS, KeySpec
from secretsd.domain.keys import protection_level

IMPORT = "IMPORT"
_BY_SUITE = EncryptionAlgorithm.SYMMETRIC_DEFAULT.value


@dataclass(frozen=True, slots=True)
class Ability:
    """One line. `reason` is empty where it can be done, else half a sentence: "this HSM …".

    `suite` is how ciphertexts of new keys are made, `protection_level` where the material is while it is used; both
    empty where they do not apply.
    """

    spec: str
    usage: str
    algorithm: str
    suite: str
    protection_level: str
    reason: str


def matrix(suites: Collection[int], inabilities: Mapping[str, str]) -> list[Ability]:
    """Every line, in the order of the domain's own tables; the ways to import material come last."""
    found = [
        Ability(
            spec.value,
            usage.value,
            algorithm,
            _suite(spec, suites) if algorithm == _BY_SUITE and spec.value not in inabilities else "",
            protection_level(spec).value,
            inabilities.get(spec.value) or inabilities.get(algorithm, ""),
        )
        for spec, rules in SPECS.items()
        for usage in rules.usages
        for algorithm in algorithm_names(spec, usage)
    ]
    return found + [Ability("", IMPORT, one.value, "", "", inabilities.get(one.value, "")) for one in WrappingAlgorithm]


def _suite(spec: KeySpec, suites: Collection[int]) -> str:
    number = suite_of_new_keys(spec, suites)
    return f"{number}: {SUITES[number].name}" if number in SUITES else ""
