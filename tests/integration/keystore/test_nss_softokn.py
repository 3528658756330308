"""A real module that is not honest: NSS softokn wraps what it was told not to wrap, and is found out by the probe."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration
SOURCE = Path(__file__).with_name("nss_shim.c")
# Runs the parts of the probe one by one on a session that needs no login, and tells what each says.
PROBE = """
import json, sys
from types import SimpleNamespace
import pkcs11
from pkcs11 import Attribute as A
from pkcs11.exceptions import PKCS11Error
from secretsd.adapters.pkcs11 import attributes, faults, guarding, key_kinds, known_answers, protection
from secretsd.domain.key_specs import SPECS, KeySpec

lib = pkcs11.lib(sys.argv[1])
token = next(slot.get_token() for slot in lib.get_slots() if slot.get_token().label == "NSS Generic Crypto Services")
session = token.open(rw=True, attribute_mapper=attributes.Mapper())
told = {"module": lib.library_description}

def step(what, act):
    try:
        told[what] = act() or ""
    except faults.ModuleRefused as refused:
        told[what] = str(refused)
    except PKCS11Error as error:
        told[what] = faults.name(error)

step("mechanisms", lambda: known_answers.require_mechanisms(token))
step("known answers", lambda: known_answers.require_known_answers(session))
for spec in (KeySpec.AES_256, KeySpec.HMAC_256):
    kind = key_kinds.kind_for(spec, SPECS[spec].usages[0])
    key, _ = key_kinds.generate(session, kind)
    step(f"{spec.value} by its attributes", lambda: attributes.require_honest_cmk(
        key, kind.uses, kind.object_class, kind.key_type))
    opened = SimpleNamespace(owner=session, kwp=None, protection=protection.RENEWABLE)
    step(f"{spec.value} under attack", lambda: guarding.require_guarded(opened, None, kind, key))
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def softokn() -> Path:
    found = [*Path("/usr/lib").glob("*/libsoftokn3.so"), *Path("/usr/lib").glob("*/nss/libsoftokn3.so")]
    assert found, "cannot find NSS softokn: install libnss3"
    return found[0]


@pytest.fixture(scope="module")
def told(softokn: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each step of the probe says."""
    place = tmp_path_factory.mktemp("nss")
    module = place / "nss_shim.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-I/usr/include/p11-kit-1"]
    subprocess.run([*command, "-o", str(module), str(SOURCE), "-ldl"], check=True)
    (place / "database").mkdir()
    where = f"configdir='sql:{place}/database' certPrefix='' keyPrefix='' secmod='' flags= updatedir='' updateid=''"
    ran = subprocess.run(
        [sys.executable, "-I", "-c", PROBE, str(module)],
        env={"NSS_SHIM_MODULE": str(softokn), "NSS_SHIM_PARAMETERS": where, "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_control_it_is_nss_and_names_all_that_is_needed(told: dict[str, Any]) -> None:
    assert told["module"].startswith("NSS")
    assert told["mechanisms"] == ""


def test_it_has_no_key_wrapping_of_rfc_5649(told: dict[str, Any]) -> None:
    assert told["known answers"] == "cannot use the module: its key wrapping is not that of RFC 5649"


@pytest.mark.parametrize("spec", ["AES_256", "HMAC_256"])
def test_its_keys_look_honest_and_are_wrapped_by_anybody(told: dict[str, Any], spec: str) -> None:
    """So attributes alone prove nothing."""
    assert told[f"{spec} by its attributes"] == ""
    assert told[f"{spec} under attack"].startswith("cannot trust the module: a key that is not trusted can wrap a CMK")
