"""The tree stands by itself: it names no registry and nobody's home, and its locks say exactly what is installed."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
MADE_BY_RUNNING = {
    ".git",
    ".venv",
    ".state",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".hypothesis",
    "__pycache__",
}
# Written as patterns, so that this file does not match itself.
FORBIDDEN = {
    "a registry's host": re.compile(
        r"pypi\.(org|python\.org)|python[h]osted\.|registry\.npm[j]s|/simp[l]e/?(\s|$)|index-ur[l]"
    ),
    "somebody's home": re.compile(r"(?<![\w.}-])/(home|Users|root)/[\w.]"),
}
REQUIREMENT = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?P<marker> ; [^\\]+)? \\$")
HASH = re.compile(r"^    --hash=sha256:(?P<digest>[0-9a-f]{64})(?: \\)?$")


def files() -> Iterator[Path]:
    waiting = [ROOT]
    while waiting:
        for path in waiting.pop().iterdir():
            if path.name not in MADE_BY_RUNNING and not path.is_symlink():
                if path.is_dir():
                    waiting.append(path)
                elif path.is_file():
                    yield path


def lock(name: str) -> dict[str, tuple[str, frozenset[str]]]:
    """The pins of a lock: name → version and hashes. A line of any other form is refused."""
    pins: dict[str, tuple[str, frozenset[str]]] = {}
    current = ""
    for line in (ROOT / "requirements" / f"{name}.lock").read_text().splitlines():
        if found := REQUIREMENT.match(line):
            current = found["name"]
            pins[current] = (found["version"], frozenset())
        elif found := HASH.match(line):
            version, hashes = pins[current]
            pins[current] = (version, hashes | {found["digest"]})
        else:
            assert re.match(r"^    +# ", line), f"{name}.lock has a line that is neither a pin nor a hash: {line!r}"
    return pins


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if FORBIDDEN[what].search(line)
    ]
    assert not found, f"{what} stands in {found}"


@pytest.mark.parametrize("name", ["dev", "runtime", "keystore"])
def test_a_lock_pins_every_part_by_hash(name: str) -> None:
    pins = lock(name)
    assert pins
    assert not [part for part, (_, hashes) in pins.items() if not hashes]


def test_each_lock_is_a_part_of_the_larger_one() -> None:
    keystore, runtime, dev = (lock(name).items() for name in ("keystore", "runtime", "dev"))
    assert keystore <= runtime <= dev


def test_the_keystore_process_has_its_own_small_part() -> None:
    assert set(lock("keystore")) == {"asn1crypto", "msgspec", "python-pkcs11"}


def test_what_is_declared_is_locked() -> None:
    """A dependency added without `./dev lock` fails here, not at somebody's first start."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for name, wanted in (
        ("runtime", declared["project"]["dependencies"]),
        ("dev", declared["dependency-groups"]["dev"]),
        ("keystore", declared["dependency-groups"]["keystore"]),
    ):
        pins = lock(name)
        for part in map(Requirement, wanted):
            assert part.name.lower() in pins, f"run ./dev lock: {name}.lock lacks {part.name}"
            assert pins[part.name.lower()][0] in part.specifier, f"run ./dev lock: {name}.lock has an old {part.name}"
