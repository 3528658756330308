"""Imports point one way: each layer names the layers that it may see, and whatever is not named is refused."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACT = {"secretsd.api", "secretsd.domain.errors", "secretsd.domain.sensitive"}
BELOW_OPERATIONS = {"secretsd.api", "secretsd.ports", "secretsd.domain"}
BELOW_DIALECTS = {"secretsd.operations", *BELOW_OPERATIONS}
# The longest prefix of a module's name is its rule. Every layer sees itself; only app.py sees everything.
MAY_SEE = {
    "secretsd": {"secretsd"},
    "secretsd.domain": set(),
    "secretsd.api": {"secretsd.domain"},
    "secretsd.ports": {"secretsd.domain"},
    "secretsd.settings": {"secretsd.domain"},
    "secretsd.operations": BELOW_OPERATIONS,
    "secretsd.services": BELOW_DIALECTS,
    "secretsd.dialects": BELOW_DIALECTS,
    "secretsd.transport": {"secretsd.dialects", *BELOW_DIALECTS},
    "secretsd.adapters": {"secretsd.ports", "secretsd.domain"},
    "secretsd_rotators": {"secretsd.ports", "secretsd.domain"},
    "secretsd.testing": {"secretsd.adapters", *BELOW_DIALECTS},
    "secretsd.supervisor": {"secretsd.settings", "secretsd.ports", "secretsd.domain"},
    "secretsd.client": CONTRACT,
    "secretsd.cli": {"secretsd.client", *CONTRACT},
    "secretsd.cli.daemon": {
        "secretsd.app",
        "secretsd.supervisor",
        "secretsd.settings",
        "secretsd.client",
        "secretsd.cli.hsm",
        "secretsd.cli.host",
        "secretsd.cli.hsm_matrix",
        "secretsd.cli.recovery",
        "secretsd.cli.ctl.output",
        *CONTRACT,
    },
    "secretsd.cli.recovery": {
        "secretsd.settings",
        "secretsd.client",
        "secretsd.cli.host",
        "secretsd.cli.ctl.output",
        *CONTRACT,
    },
    "secretsd.cli.host": {"secretsd.supervisor", "secretsd.settings"},
    # The operator opens what the HSM wrapped, so he has to know what is in it.
    "secretsd.cli.hsm": {
        "secretsd.supervisor",
        "secretsd.settings",
        "secretsd.client",
        "secretsd.cli.host",
        "secretsd.api",
        "secretsd.domain",
    },
    "secretsd.app": {"secretsd", "secretsd_rotators"},
}
# Packages of others that only these layers import: what is native, untyped or guards the keys stays in its corner.
ONLY_IN = {
    "pkcs11": ("secretsd.adapters.pkcs11", "secretsd.adapters.keystore_process"),
    "asn1crypto": ("secretsd.adapters.pkcs11", "secretsd.adapters.keystore_process"),
    "apsw": ("secretsd.adapters.sqlite",),
    "gmssl_pyx": ("secretsd.adapters.sm",),
    "apscheduler": ("secretsd.adapters",),
    # adapters.jwks asks issuers for their keys: a client with a deadline for the whole, which http.client has not.
    "aiohttp": ("secretsd.transport", "secretsd.client", "secretsd.adapters.jwks"),
    "jwt": ("secretsd.operations.jwks",),
    "typer": ("secretsd.cli",),
    "rich": ("secretsd.cli",),
    "psycopg": ("secretsd_rotators.postgresql", "secretsd.testing"),
    # The other policy engine that ours is compared with.
    "cedarpy": ("secretsd.testing",),
}
KEYSTORE_PROCESS = ("secretsd.adapters.pkcs11", "secretsd.adapters.keystore_process")
KEYSTORE_MAY_LOAD = {"pkcs11", "asn1crypto", "msgspec"}
# The extra `sm`: imported inside functions, when an SM key is made or used (tests/integration/keystore/test_sm.py).
FOR_SM_KEYS = {"cryptography", "gmssl_pyx"}


def modules() -> Iterator[tuple[str, Path]]:
    for base, package in ((ROOT, "secretsd"), (ROOT / "rotators", "secretsd_rotators")):
        for path in sorted((base / package).rglob("*.py")):
            parts = path.relative_to(base).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


MODULES = dict(modules())


def within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


def imports(module: str) -> set[str]:
    """The modules that a module names anywhere in its text, those under TYPE_CHECKING and inside functions included."""
    path, found = MODULES[module], set()
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *(node.module.split(".") if node.module else [])])
            found |= {name if (name := f"{source}.{alias.name}") in MODULES else source for alias in node.names}
    return found


def ours(names: set[str]) -> set[str]:
    return {name for name in names if name.split(".")[0] in ("secretsd", "secretsd_rotators")}


def foreign(names: set[str]) -> set[str]:
    return {top for name in names - ours(names) if (top := name.split(".")[0]) not in sys.stdlib_module_names}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_sees_only_what_its_layer_may_see(module: str) -> None:
    rule = max((prefix for prefix in MAY_SEE if within(module, prefix)), key=len)
    assert rule != "secretsd" or module == "secretsd", f"{module} belongs to no layer: give it a rule here"
    allowed = {rule, *MAY_SEE[rule]}
    seen = {name for name in ours(imports(module)) if name != "secretsd"}
    wrong = {name for name in seen if not any(within(name, prefix) for prefix in allowed)}
    assert not wrong, f"{module} ({rule}) must not import {sorted(wrong)}"


@pytest.mark.parametrize("module", MODULES)
def test_packages_of_others_stay_in_their_corner(module: str) -> None:
    if within(module, "secretsd.app"):
        return
    wrong = {
        name
        for name in foreign(imports(module))
        if name in ONLY_IN and not any(within(module, corner) for corner in (*ONLY_IN[name], "secretsd_rotators"))
    }
    assert not wrong, f"{module} must not import {sorted(wrong)}"


@pytest.mark.parametrize("module", [name for name in MODULES if within(name, "secretsd.domain")])
def test_the_domain_needs_the_standard_library_only(module: str) -> None:
    assert not foreign(imports(module))


def test_the_keystore_process_loads_only_its_own_small_part_of_the_lock() -> None:
    """Follows every import from the process's own modules on, parent packages included, as Python would."""
    waiting = [name for name in MODULES if any(within(name, prefix) for prefix in KEYSTORE_PROCESS)]
    loaded: set[str] = set()
    while waiting:
        module = waiting.pop()
        if module not in loaded and module in MODULES:
            loaded.add(module)
            waiting += [module.rpartition(".")[0], *ours(imports(module))]
    for module in sorted(loaded):
        rule = max((prefix for prefix in MAY_SEE if within(module, prefix)), key=len)
        assert rule in {"secretsd", "secretsd.adapters", "secretsd.domain", "secretsd.ports"}, f"{module} is loaded"
        may = KEYSTORE_MAY_LOAD | (FOR_SM_KEYS if within(module, "secretsd.adapters.sm") else set())
        wrong = foreign(imports(module)) - may
        assert not wrong, f"{module} brings {sorted(wrong)} into the keystore process"
