"""Whoever has the PIN of a module without trusted keys, and the storage: he takes no key away and plants no root."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.domain.algorithms import SigningAlgorithm
from secretsd.domain.errors import Internal, KeyStoreUnavailable
from secretsd.testing.keystore_suite import CONTEXT, TEXT, USE, metadata
from secretsd.testing.softhsm import KeyStoreProcess, SoftHSM, run_once

from .conftest import Shim
from .kinds_at_work import metadata_of
from .test_fixed_root import UNTRUSTING

pytestmark = pytest.mark.integration
CONFIGURATION_FAULT = 78
PLANTED = "00010203-0405-0607-0809-0a0b0c0d0e0f"


@pytest.fixture(scope="module")
def standing() -> tuple[str, ...]:
    return UNTRUSTING


@pytest.fixture
def own(tmp_path: Path, shim: Shim) -> SoftHSM:
    return SoftHSM.create(tmp_path / "own", module=str(shim.path), environment=shim.environment)


@pytest.fixture
def serving(own: SoftHSM) -> Iterator[KeyStoreProcess]:
    with KeyStoreProcess(own) as process:
        yield process


THIEF = """
import json, sys
module, label, pin, blob, act = json.load(sys.stdin)
import pkcs11
from pkcs11 import Attribute as A, KeyType, ObjectClass, Mechanism, MechanismFlag as F
from pkcs11.exceptions import PKCS11Error
from secretsd.adapters.pkcs11.attributes import Mapper

session = pkcs11.lib(module).get_token(token_label=label).open(rw=True, user_pin=pin, attribute_mapper=Mapper())
roots = {str(key[A.LABEL]).rpartition(" ")[0]: key for key in session.get_objects() if key[A.TOKEN]}
kek = roots["secretsd root kek"]
mine = session.create_object({A.CLASS: ObjectClass.SECRET_KEY, A.KEY_TYPE: KeyType.AES, A.VALUE: bytes(range(32)),
    A.TOKEN: False, A.WRAP: True, A.UNWRAP: True, A.EXTRACTABLE: True, A.SENSITIVE: False})
told = {"objects of others": str(sum(not key[A.TOKEN] for key in session.get_objects()) - 1)}

def attempt(what, act):
    try:
        result = act()
    except PKCS11Error as refused:
        told[what] = type(refused).__name__
        return None
    told[what] = "yes"
    return result

def unwrapped(**template):
    asked = {A.SENSITIVE: True, A.EXTRACTABLE: False} | {A[name]: value for name, value in template.items()}
    return kek.unwrap_key(ObjectClass.SECRET_KEY, KeyType.AES, bytes.fromhex(blob),
        mechanism=Mechanism.AES_KEY_WRAP_PAD, capabilities=F.ENCRYPT | F.DECRYPT | F.WRAP | F.UNWRAP, template=asked)

def take():
    cmk = attempt("control: load a cmk as the daemon does", unwrapped)
    for looser in ({"EXTRACTABLE": True}, {"SENSITIVE": False}, {"EXTRACTABLE": True, "SENSITIVE": False}):
        attempt(f"unwrap {sorted(looser)}", lambda: unwrapped(**looser))
    victims = {**roots, "cmk": cmk, "control: my own": mine}
    for name, victim in victims.items():
        attempt(f"{name}: wrap it under mine", lambda: mine.wrap_key(victim, mechanism=Mechanism.AES_KEY_WRAP_PAD))
        attempt(f"{name}: wrap it under the root", lambda: kek.wrap_key(victim, mechanism=Mechanism.AES_KEY_WRAP_PAD))
        attempt(f"{name}: wrap it under a cmk", lambda: cmk.wrap_key(victim, mechanism=Mechanism.AES_KEY_WRAP_PAD))
        attempt(f"{name}: read it", lambda: victim[A.VALUE])
        for change in ({A.EXTRACTABLE: True}, {A.SENSITIVE: False}, {A.DECRYPT: True, A.TOKEN: False}):
            if name in roots:
                attempt(f"{name}: copy {[one.name for one in change]}", lambda: victim.copy(change))

def plant(generation, identifier):
    known = session.create_object({A.CLASS: ObjectClass.SECRET_KEY, A.KEY_TYPE: KeyType.AES, A.VALUE: bytes(range(32)),
        A.TOKEN: True, A.PRIVATE: True, A.SENSITIVE: True, A.EXTRACTABLE: False, A.ID: identifier,
        A.LABEL: f"secretsd root kek {generation}", A.WRAP: True, A.UNWRAP: True, A.ENCRYPT: False, A.DECRYPT: False,
        A.SIGN: False, A.VERIFY: False, A.DERIVE: False, A.UNWRAP_TEMPLATE: {A.SENSITIVE: True, A.EXTRACTABLE: False},
        A.MODIFIABLE: False})
    told["planted"] = "yes"

def replace():
    identifier = kek[A.ID]
    kek.destroy()
    plant(1, identifier)

def add():
    identifier = bytes(range(16))
    session.generate_key(KeyType.GENERIC_SECRET, 256, id=identifier, label="secretsd root mac 2", store=True,
        capabilities=F.SIGN | F.VERIFY, template={A.SENSITIVE: True, A.EXTRACTABLE: False, A.PRIVATE: True,
        A.COPYABLE: False, A.MODIFIABLE: False})
    plant(2, identifier)
    for resident in session.get_objects({A.CLASS: ObjectClass.PRIVATE_KEY}):
        resident.destroy()

{"take": take, "replace": replace, "add": add}[act]()
print(json.dumps(told))
"""


def thief(token: SoftHSM, act: str, blob: bytes = b"") -> dict[str, str]:
    """What somebody with the PIN comes to by a program of his own."""
    ran = subprocess.run(
        [sys.executable, "-I", "-c", THIEF],
        input=json.dumps([token.module, token.token_label, token.pin, blob.hex(), act]),
        env={**token.environment, "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return dict(json.loads(ran.stdout))


async def test_whoever_has_the_pin_and_the_storage_takes_no_key_away(own: SoftHSM, serving: KeyStoreProcess) -> None:
    keystore = ProcessKeyStore(serving.path, deadline_seconds=30)
    key = await keystore.generate_key(metadata())
    await keystore.encrypt(key, USE, TEXT, CONTEXT)
    await keystore.close()
    told = thief(own, "take", key.blob)
    may = {name for name, answer in told.items() if answer == "yes"}
    assert told["objects of others"] == "0", "what a process holds for a moment no other one sees"
    assert len(told) > 20
    assert may == {
        "control: load a cmk as the daemon does",
        *(f"control: my own: wrap it under {by}" for by in ("mine", "the root", "a cmk")),
        "control: my own: read it",
    }


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        ("replace", "its root is not the one that was made here"),
        ("add", "the root KEK has EXTRACTABLE=False"),
    ],
)
def test_a_root_that_somebody_with_the_pin_has_planted_is_refused(own: SoftHSM, act: str, reason: str) -> None:
    assert thief(own, act)["planted"] == "yes"
    status, output, _ = run_once(own.configuration("probe"))
    assert status == 0
    assert reason in json.loads(output)["reason"]


@pytest.mark.parametrize(
    ("what_it_is", "reason"),
    [(UNTRUSTING, "its root is not the one that was made here"), ((), "the root KEK has EXTRACTABLE=False")],
    ids=["a fixed root", "one that can be renewed"],
)
async def test_a_planted_root_is_refused_also_when_the_token_is_opened_anew_while_we_serve(
    tmp_path: Path, shim: Shim, what_it_is: tuple[str, ...], reason: str
) -> None:
    now = dataclasses.replace(shim, standing=what_it_is)
    now.fail()
    token = SoftHSM.create(tmp_path / "own", module=str(shim.path), environment=shim.environment)
    with KeyStoreProcess(token) as serving:
        keystore = ProcessKeyStore(serving.path, deadline_seconds=5)
        key = await keystore.generate_key(metadata())
        thief(token, "replace")
        now.fail("C_EncryptInit close-all 0 1")
        with pytest.raises(KeyStoreUnavailable):
            await keystore.encrypt(key, USE, TEXT, CONTEXT)
        await keystore.close()
        assert serving.wait() == CONFIGURATION_FAULT
        assert reason in serving.log()


@pytest.mark.parametrize("what_it_is", [UNTRUSTING, ()], ids=["a fixed root", "one that can be renewed"])
async def test_a_newer_root_that_somebody_planted_is_not_taken_up_while_we_serve(
    tmp_path: Path, shim: Shim, what_it_is: tuple[str, ...]
) -> None:
    """However it is come upon: by a row that names it, by a resident key that is gone, by a ceremony's file."""
    dataclasses.replace(shim, standing=what_it_is).fail()
    token = SoftHSM.create(tmp_path / "own", module=str(shim.path), environment=shim.environment)
    with KeyStoreProcess(token) as serving:
        keystore = ProcessKeyStore(serving.path, deadline_seconds=30)
        key = await keystore.generate_key(metadata())
        resident = await keystore.generate_key(metadata_of("ed25519"))
        thief(token, "add")
        with pytest.raises(Internal, match="its root KEK is not on the token"):
            await keystore.encrypt(dataclasses.replace(key, kek_id=PLANTED), USE, TEXT, CONTEXT)
        assert (await keystore.generate_key(metadata())).kek_id == key.kek_id
        with pytest.raises(Internal, match="its material is not on the token"):
            await keystore.sign(resident, USE, SigningAlgorithm.ED25519_SHA_512, b"message")
        assert (await keystore.generate_key(metadata())).kek_id == key.kek_id
        (token.data_dir / "root-history").touch()
        assert (await keystore.status()).kek_id == key.kek_id
        assert (await keystore.generate_key(metadata())).kek_id == key.kek_id
        await keystore.close()


OFFICER = """
import json, sys
module, label, pin, officer = json.load(sys.stdin)
from pkcs11 import Attribute as A, KeyType, MechanismFlag as F, ObjectClass
from secretsd.adapters.pkcs11 import attributes
from secretsd.adapters.pkcs11.library import Library

library = Library(module, {})
session = library.token(label).open(rw=True, so_pin=officer, attribute_mapper=attributes.Mapper())
known = session.create_object({A.CLASS: ObjectClass.SECRET_KEY, A.KEY_TYPE: KeyType.AES, A.VALUE: bytes(range(32)),
    A.TOKEN: False, **attributes.KEK_ORIGINAL, A.ID: bytes(range(16)), A.LABEL: "secretsd root kek 2", A.WRAP: True,
    A.UNWRAP: True, A.ENCRYPT: False, A.DECRYPT: False, A.SIGN: False, A.VERIFY: False, A.DERIVE: False})
library.become_user(session, pin)
session.create_object({A.CLASS: ObjectClass.SECRET_KEY, A.KEY_TYPE: KeyType.GENERIC_SECRET, A.VALUE: bytes(range(32)),
    A.TOKEN: True, A.ID: bytes(range(16)), A.LABEL: "secretsd root mac 2", A.SIGN: True, A.VERIFY: True,
    A.ENCRYPT: False, A.DECRYPT: False, A.WRAP: False, A.UNWRAP: False, **attributes.MAC_KEY})
known.copy(attributes.KEK_COPY)
print("planted")
"""


def officer(token: SoftHSM) -> None:
    """Make a root of known value that is trusted."""
    ran = subprocess.run(
        [sys.executable, "-I", "-c", OFFICER],
        input=json.dumps([token.module, token.token_label, token.pin, token.initialised["so_pin"]]),
        env={**token.environment, "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert ran.stdout == "planted\n", ran.stderr


async def test_a_trusted_root_beside_a_fixed_one_is_refused(tmp_path: Path, shim: Shim) -> None:
    """Where a module lets its user call a key trusted; here the officer stands in for such a user."""
    now = dataclasses.replace(shim, standing=("C_WrapKey untrust 0 -1",))
    now.fail()
    own = SoftHSM.create(tmp_path / "own", module=str(shim.path), environment=shim.environment)
    with KeyStoreProcess(own) as serving:
        keystore = ProcessKeyStore(serving.path, deadline_seconds=20)
        key = await keystore.generate_key(metadata())
        officer(own)
        now.fail("C_EncryptInit close-all 0 1")
        with pytest.raises(KeyStoreUnavailable):
            await keystore.encrypt(key, USE, TEXT, CONTEXT)
        await keystore.close()
        assert serving.wait() == CONFIGURATION_FAULT
        assert "it has a root beside the one that was made here" in serving.log()
