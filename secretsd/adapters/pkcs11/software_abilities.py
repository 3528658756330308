"""Why there are no keys of a spec that is used in memory: no library for it, or nothing that guards it at rest."""

from collections.abc import Collection

from secretsd.adapters.sm import extra
from secretsd.domain.algorithms import encryption_algorithms, signing_algorithms
from secretsd.domain.envelope import SUITE_AES_256_GCM
from secretsd.domain.key_specs import SPECS, KeySpec


def inabilities(spec: KeySpec, suites: Collection[int]) -> dict[str, str]:
    """The spec and its own algorithms, each with the reason as half a sentence; empty where nothing is missing."""
    if not extra.installed():
        reason = extra.MISSING
    elif SUITE_AES_256_GCM not in suites:
        reason = "offers no AES-GCM, which guards SM keys at rest"
    else:
        return {}
    own = (*signing_algorithms(spec), *encryption_algorithms(spec)) if SPECS[spec].asymmetric else ()
    return {spec.value: reason, **{one.value: reason for one in own}}
