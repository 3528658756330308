"""A module whose officer can trust no key: its root and CMKs never leave it, which is said, and all else works."""

import base64
import dataclasses
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.cli.hsm.evidence import problems
from secretsd.domain.key_import import WrappingSpec
from secretsd.domain.key_specs import KeySpec
from secretsd.testing.customer import wrap
from secretsd.testing.keystore_suite import ACCOUNT, CONTEXT, TEXT, USE, KeyStoreSuite, metadata
from secretsd.testing.keystore_suite_import import TWO_STEPS, external
from secretsd.testing.softhsm import KeyStoreProcess, SoftHSM

from .ceremonies import OAEP, Receiver, blank, ceremony, public_pem, rotate
from .conftest import Shim, without
from .kinds_at_work import KINDS, AtWork
from .test_import import MATERIAL

pytestmark = pytest.mark.integration
TRUSTED, WRAP_WITH_TRUSTED, UNWRAP_TEMPLATE, AES_GCM = 0x86, 0x210, 0x40000212, 0x1087
UNTRUSTING = (f"* unknown {TRUSTED:#x} -1", f"* unknown {WRAP_WITH_TRUSTED:#x} -1")


@pytest.fixture(scope="module")
def standing() -> tuple[str, ...]:
    return UNTRUSTING


class TestOnAFixedRoot(KeyStoreSuite):
    """All that a key store must do."""


@pytest.fixture
def behind(module_shim: Shim) -> dict[str, Any]:
    """What SoftHSM.create needs to make a token behind the shim."""
    module_shim.fail()
    return {"module": str(module_shim.path), "environment": module_shim.environment}


@pytest.fixture
def own(tmp_path: Path, operator: rsa.RSAPrivateKey, behind: dict[str, Any]) -> SoftHSM:
    """A token of the test's own, with a recovery wrap."""
    return SoftHSM.create(tmp_path / "own", recovery_public_key=public_pem(operator), **behind)


@pytest.fixture
def serving(own: SoftHSM) -> Iterator[KeyStoreProcess]:
    with KeyStoreProcess(own) as process:
        yield process


@pytest.mark.parametrize("kind", KINDS)
async def test_keys_of_every_kind_are_used_and_loaded_again(
    keystore: ProcessKeyStore, process: KeyStoreProcess, kind: str
) -> None:
    at_work = await AtWork.make(keystore, kind)
    await at_work.use(keystore)
    process.restart()
    await at_work.use(keystore)


@pytest.mark.parametrize("spec", [*MATERIAL, KeySpec.SM4])
async def test_keys_come_in_and_are_known_again(keystore: ProcessKeyStore, spec: KeySpec) -> None:
    if spec is KeySpec.SM4:
        key = await keystore.generate_key(dataclasses.replace(metadata(), spec=spec))
        ciphertext = await keystore.encrypt(key, USE, TEXT, CONTEXT)
        assert await keystore.decrypt(key, USE, ciphertext, CONTEXT) == TEXT
        return
    pair = await keystore.generate_import_key(ACCOUNT, str(uuid.uuid4()), WrappingSpec.RSA_2048)
    wrapped = wrap(pair.public_key, TWO_STEPS, MATERIAL[spec]())
    first = await keystore.import_key(external(spec, pair), pair, TWO_STEPS, wrapped)
    assert await keystore.import_key(external(spec, pair), pair, TWO_STEPS, wrapped, first) == first


def test_what_is_told_is_the_truth(own: SoftHSM) -> None:
    assert own.initialised["fixed"] is True
    kek_id, check = own.initialised["kek_id"], own.initialised["check"]
    (root,) = ceremony(own, "roots")["roots"]
    assert (root["kek_id"], root["fixed"], root["check"]) == (kek_id, True, check)
    probed = ceremony(own, "probe")
    assert (probed["usable"], probed["renewable"], probed["kek_id"]) == (True, False, kek_id)
    evidence = ceremony(own, "attest")["evidence"]
    assert problems(evidence) == []
    (told,) = evidence["roots"]
    assert (told["renewable"], told["check"]) == (False, check)
    loaded = [key for sample in evidence["samples"].values() for key in _several(sample["loaded"])]
    for key in (told["kek"], told["mac_key"], *loaded):
        assert (key["sensitive"], key["extractable"], key["modifiable"]) == (True, False, False)


def _several(loaded: Any) -> list[Any]:
    return loaded if isinstance(loaded, list) else [loaded]


def test_control_a_module_with_trusted_keys_has_a_root_that_can_be_renewed(tmp_path: Path) -> None:
    token = SoftHSM.create(tmp_path / "plain")
    assert token.initialised["fixed"] is False
    assert ceremony(token, "probe")["renewable"] is True
    assert ceremony(token, "attest")["evidence"]["roots"][0]["renewable"] is True


@pytest.mark.parametrize("suite_2", [False, True])
def test_an_untrusting_module_without_gcm_is_used_as_well(
    tmp_path: Path, module_shim: Shim, behind: dict[str, Any], suite_2: bool
) -> None:
    module_shim.fail(*(without(AES_GCM) if suite_2 else ()))
    assert SoftHSM.create(tmp_path / "own", **behind).initialised["fixed"] is True


def test_a_module_that_takes_the_mark_and_does_not_heed_it_gets_no_root_that_relies_on_it(
    tmp_path: Path, module_shim: Shim, behind: dict[str, Any]
) -> None:
    dataclasses.replace(module_shim, standing=("C_WrapKey untrust 0 -1",)).fail()
    token = SoftHSM.create(tmp_path / "own", **behind)
    assert token.initialised["fixed"] is True
    assert ceremony(token, "probe")["usable"] is True


@pytest.mark.parametrize(
    ("what_it_is", "reason"),
    [
        ("C_WrapKey permit 0 -1", "can wrap a CMK"),
        (f"* unknown {UNWRAP_TEMPLATE:#x} -1", "AttributeTypeInvalid"),
        ("C_UnwrapKey obey 0 -1", "a CMK has"),
    ],
    ids=["wraps what may not leave", "has no unwrap template", "forgets the unwrap template"],
)
def test_a_module_that_keeps_no_key_at_all_is_refused(
    tmp_path: Path, module_shim: Shim, behind: dict[str, Any], what_it_is: str, reason: str
) -> None:
    module_shim.fail(what_it_is)
    with pytest.raises(RuntimeError, match=reason):
        SoftHSM.create(tmp_path / "own", **behind)
    assert list((tmp_path / "own" / "tokens").iterdir()) == []


@pytest.mark.parametrize("function", ["C_GenerateKey", "C_WrapKey", "C_GetAttributeValue"])
def test_no_fault_makes_a_root_fixed_that_could_be_renewed(
    tmp_path: Path, module_shim: Shim, behind: dict[str, Any], function: str
) -> None:
    dataclasses.replace(module_shim, standing=()).fail(f"{function} return 0x30 -1")
    with pytest.raises(RuntimeError, match="DeviceError"):
        SoftHSM.create(tmp_path / "own", **behind)


def test_a_root_that_can_be_renewed_is_refused_where_nobody_heeds_its_mark(
    tmp_path: Path, module_shim: Shim, behind: dict[str, Any]
) -> None:
    dataclasses.replace(module_shim, standing=()).fail()
    token = SoftHSM.create(tmp_path / "own", **behind)
    module_shim.fail()
    probed = ceremony(token, "probe")
    assert (probed["usable"], "does not tell WRAP_WITH_TRUSTED of the root KEK" in probed["reason"]) == (False, True)


async def test_the_root_is_neither_renewed_nor_sent_and_nothing_is_left_of_the_try(
    own: SoftHSM, serving: KeyStoreProcess, operator: rsa.RSAPrivateKey
) -> None:
    because = "the module wraps by no trusted keys"
    with pytest.raises(RuntimeError, match=f"cannot make a new root: {because}"):
        rotate(own)
    so_pin, key = own.initialised["so_pin"], public_pem(operator)
    with pytest.raises(RuntimeError, match=f"cannot send generation 1 of the root: {because}"):
        ceremony(own, "send-root", so_pin=so_pin, receiver_public_key=key)
    with pytest.raises(RuntimeError, match=f"cannot receive another generation of the root: {because}"):
        Receiver(own, so_pin=so_pin)
    assert len(ceremony(own, "roots")["roots"]) == 1
    keystore = ProcessKeyStore(serving.path, deadline_seconds=30)
    made = await keystore.generate_key(metadata())
    assert await keystore.rewrap(made) == made
    await keystore.close()


def recovered(operator: rsa.RSAPrivateKey, document: dict[str, Any], public_key: str) -> dict[str, Any]:
    """What `open-recovery` makes of the operator's wrap."""
    receiver = load_pem_public_key(public_key.encode())
    assert isinstance(receiver, rsa.RSAPublicKey)
    opened = {name: operator.decrypt(base64.b64decode(document[name]), OAEP) for name in ("kek", "mac_key")}
    return document | {name: base64.b64encode(receiver.encrypt(one, OAEP)).decode() for name, one in opened.items()}


@pytest.mark.parametrize("renewable", [False, True], ids=["onto such a module", "onto one that trusts keys"])
async def test_the_recovery_wrap_brings_the_root_to_another_token(
    own: SoftHSM, tmp_path: Path, module_shim: Shim, operator: rsa.RSAPrivateKey, renewable: bool
) -> None:
    """Onto one that trusts keys it is also the way to a root that can be renewed."""
    with KeyStoreProcess(own) as process:
        keystore = ProcessKeyStore(process.path, deadline_seconds=30)
        keys = [await keystore.generate_key(metadata()), (await AtWork.make(keystore, "ec")).key]
        ciphertext = await keystore.encrypt(keys[0], USE, TEXT, CONTEXT)
        await keystore.close()
    second = blank(tmp_path / "second")
    if not renewable:
        environment = {**second.environment, **module_shim.environment}
        second = dataclasses.replace(second, module=str(module_shim.path), environment=environment)
    waiting = Receiver(second)
    arrived = waiting.give(recovered(operator, own.initialised["recovery"], waiting.public_key))
    assert (arrived["check"], arrived["fixed"]) == (own.initialised["check"], not renewable)
    with KeyStoreProcess(second) as process:
        keystore = ProcessKeyStore(process.path, deadline_seconds=30)
        assert await keystore.decrypt(keys[0], USE, ciphertext, CONTEXT) == TEXT
        if renewable:
            made = ceremony(second, "rotate-root", so_pin=arrived["so_pin"], refuse_recovery=True)
            await keystore.status()
            moved = await keystore.rewrap(keys[1])
            assert moved.kek_id == made["root"]["kek_id"]
        await keystore.close()


async def test_the_recovery_wrap_opens_what_is_stored(own: SoftHSM, operator: rsa.RSAPrivateKey) -> None:
    with KeyStoreProcess(own) as process:
        keystore = ProcessKeyStore(process.path, deadline_seconds=30)
        key = await keystore.generate_key(metadata())
        await keystore.close()
    kek = operator.decrypt(base64.b64decode(own.initialised["recovery"]["kek"]), OAEP)
    assert len(aes_key_unwrap_with_padding(kek, key.blob)) == 32
