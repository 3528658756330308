"""The root on two tokens: two nodes share their keys, a lost token is replaced, and nothing opens on the way."""

import base64
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.domain.algorithms import SigningAlgorithm
from secretsd.domain.errors import Internal
from secretsd.domain.key_specs import KeySpec, KeyUsage
from secretsd.testing.keystore_suite import CONTEXT, TEXT, USE, metadata
from secretsd.testing.softhsm import KeyStoreProcess, SoftHSM

from .ceremonies import OAEP, Receiver, blank, ceremony, public_pem

pytestmark = pytest.mark.integration


@pytest.fixture
def first(tmp_path: Path, operator: rsa.RSAPrivateKey) -> SoftHSM:
    return SoftHSM.create(tmp_path / "first", recovery_public_key=public_pem(operator))


@pytest.fixture(scope="module")
def sender(tmp_path_factory: pytest.TempPathFactory) -> SoftHSM:
    """A token that only sends its root, which changes nothing on it: one for all."""
    return SoftHSM.create(tmp_path_factory.mktemp("sender"))


@pytest.fixture
def second(tmp_path: Path) -> SoftHSM:
    """A place for a token that is not there yet."""
    return blank(tmp_path / "second")


def so_pin(token: SoftHSM) -> str:
    return str(token.initialised["so_pin"])


def send(token: SoftHSM, key: str, **more: Any) -> dict[str, Any]:
    return ceremony(token, "send-root", so_pin=so_pin(token), receiver_public_key=key, **more)


@pytest.fixture
def shared(first: SoftHSM, second: SoftHSM) -> Iterator[tuple[KeyStoreProcess, KeyStoreProcess]]:
    """Two processes on two tokens, the second of which received the root of the first."""
    waiting = Receiver(second)
    sent = send(first, waiting.public_key)
    arrived = waiting.give(sent)
    assert arrived["check"] == sent["check"] == first.initialised["check"]
    assert arrived["kek_id"] == first.initialised["kek_id"]
    assert len(arrived["so_pin"]) > 16
    with KeyStoreProcess(first) as one, KeyStoreProcess(second) as other:
        yield one, other


async def test_what_was_made_on_one_token_works_on_the_other(
    shared: tuple[KeyStoreProcess, KeyStoreProcess],
) -> None:
    here, there = (ProcessKeyStore(process.path, deadline_seconds=30) for process in shared)
    key = await here.generate_key(metadata())
    ciphertext = await here.encrypt(key, USE, TEXT, CONTEXT)
    assert await there.decrypt(key, USE, ciphertext, CONTEXT) == TEXT
    back = await there.generate_key(metadata())
    assert await here.decrypt(back, USE, await there.encrypt(back, USE, TEXT, CONTEXT), CONTEXT) == TEXT
    signing = await there.generate_key(replace(metadata(), spec=KeySpec.ECC_NIST_P256, usage=KeyUsage.SIGN_VERIFY))
    assert await here.sign(signing, USE, SigningAlgorithm.ECDSA_SHA_256, bytes(32))
    assert await here.storage_key() == await there.storage_key()
    for keystore in (here, there):
        await keystore.close()


def test_neither_token_shows_the_root(first: SoftHSM, second: SoftHSM) -> None:
    waiting = Receiver(second)
    waiting.give(send(first, waiting.public_key))
    told = [ceremony(token, "attest")["evidence"]["roots"][0] for token in (first, second)]
    for name in ("kek", "mac_key"):
        here, there = (root[name] for root in told)
        assert there["material_shown"] == []
        # Where a key came from differs, and nothing else.
        assert {one: value for one, value in here.items() if value != there[one]}.keys() <= {
            "local",
            "always_sensitive",
            "never_extractable",
        }
    assert told[0]["check"] == told[1]["check"]


def test_what_was_wrapped_for_one_token_opens_on_no_other(sender: SoftHSM, second: SoftHSM, tmp_path: Path) -> None:
    waiting, other = Receiver(second), Receiver(blank(tmp_path / "third"))
    sent = send(sender, waiting.public_key)
    with pytest.raises(RuntimeError, match=r"cannot receive the root: the module answers .*wrapped for another key"):
        other.give(sent)
    assert waiting.give(sent)["check"] == sent["check"]
    again = Receiver(blank(tmp_path / "again"))
    with pytest.raises(RuntimeError, match="cannot receive the root"):
        again.give(sent)  # the key that it was wrapped for is gone
    assert not list((tmp_path / "again" / "tokens").iterdir())


def changed(document: dict[str, Any], name: str) -> dict[str, Any]:
    match name:
        case "kek" | "mac_key":
            data = bytearray(base64.b64decode(document[name]))
            data[100] ^= 1
            return document | {name: base64.b64encode(data).decode()}
        case "swapped":
            return document | {"kek": document["mac_key"], "mac_key": document["kek"]}
        case "generation":
            return document | {"generation": 7}
        case "kek_id":
            return document | {"kek_id": "00000000-0000-4000-8000-000000000000"}
        case "mechanism":
            return document | {"mechanism": "RSA-PKCS1"}
        case "format":
            return document | {"format": "another"}
        case "storage_key":
            return document | {"storage_key": ""}
        case _:
            return {"nothing": "of the kind"}


@pytest.mark.parametrize(
    "name",
    ["kek", "mac_key", "swapped", "generation", "kek_id", "mechanism", "format", "storage_key", "nothing"],
)
def test_a_changed_document_leaves_no_token(sender: SoftHSM, second: SoftHSM, name: str) -> None:
    waiting = Receiver(second)
    document = changed(send(sender, waiting.public_key), name)
    with pytest.raises(RuntimeError, match=r"cannot receive (a|the) root"):
        waiting.give(document)
    assert not list((second.directory / "tokens").iterdir())
    assert not (second.data_dir / "storage-key.sealed").exists()


def test_a_root_goes_only_to_whom_the_security_officer_trusts(sender: SoftHSM, second: SoftHSM) -> None:
    waiting = Receiver(second)
    with pytest.raises(RuntimeError, match="it refuses the SO PIN"):
        ceremony(sender, "send-root", so_pin="not his PIN", receiver_public_key=waiting.public_key)
    with pytest.raises(RuntimeError, match="the SO PIN is missing"):
        ceremony(sender, "send-root", receiver_public_key=waiting.public_key)
    with pytest.raises(RuntimeError, match="generation 3 of the root: it is not on the token"):
        send(sender, waiting.public_key, generation=3)
    waiting.end()


async def test_two_nodes_renew_their_root_without_a_key_that_one_of_them_cannot_open(
    first: SoftHSM, second: SoftHSM
) -> None:
    """Held on the first node, taken up by the second, used by both: in this order nothing is ever out of reach."""
    waiting = Receiver(second)
    other_so_pin = waiting.give(send(first, waiting.public_key))["so_pin"]
    with KeyStoreProcess(first) as one, KeyStoreProcess(second) as other:
        here, there = (ProcessKeyStore(process.path, deadline_seconds=30) for process in (one, other))
        key = await here.generate_key(metadata())
        ciphertext = await here.encrypt(key, USE, TEXT, CONTEXT)
        made = ceremony(first, "rotate-root", so_pin=so_pin(first), refuse_recovery=True, hold=True)
        new = made["root"]["kek_id"]
        assert (await here.status()).kek_id == key.kek_id

        waiting = Receiver(second, so_pin=other_so_pin)
        arrived = waiting.give(send(first, waiting.public_key, generation=2))
        assert (arrived["kek_id"], arrived["check"], arrived["so_pin"]) == (new, made["check"], None)
        assert (await there.status()).kek_id == new
        moved = await there.rewrap(key)
        assert moved.kek_id == new
        assert await here.decrypt(moved, USE, ciphertext, CONTEXT) == TEXT  # held, but on the token
        assert await here.rewrap(moved) == moved  # and nothing goes back

        ceremony(first, "use-root", generation=2)
        assert (await here.status()).kek_id == new
        for token in (first, second):
            ceremony(token, "destroy-root", generation=1)
        for process in (one, other):
            process.restart()
        for keystore in (here, there):
            assert await keystore.decrypt(moved, USE, ciphertext, CONTEXT) == TEXT
            with pytest.raises(Internal):
                await keystore.decrypt(key, USE, ciphertext, CONTEXT)
        assert await here.storage_key() == await there.storage_key()
        for keystore in (here, there):
            await keystore.close()


def test_a_token_takes_no_second_root_of_a_generation(sender: SoftHSM, tmp_path: Path) -> None:
    stranger = SoftHSM.create(tmp_path / "stranger")
    before = ceremony(stranger, "roots")
    waiting = Receiver(stranger, so_pin=so_pin(stranger))
    with pytest.raises(RuntimeError, match="cannot receive generation 1 of the root: this token has had one"):
        waiting.give(send(sender, waiting.public_key))
    assert ceremony(stranger, "roots") == before


async def test_a_lost_token_comes_back_from_its_recovery_wrap(
    first: SoftHSM, second: SoftHSM, operator: rsa.RSAPrivateKey
) -> None:
    """The operator opens the wrap on his own machine and wraps it for the new token; the old one is never asked."""
    with KeyStoreProcess(first) as process:
        keystore = ProcessKeyStore(process.path, deadline_seconds=30)
        key = await keystore.generate_key(metadata())
        ciphertext = await keystore.encrypt(key, USE, TEXT, CONTEXT)
        storage_key = await keystore.storage_key()
        await keystore.close()
    recovery = first.initialised["recovery"]
    for path in (*first.data_dir.rglob("*"), *(first.directory / "tokens").rglob("*")):
        if path.is_file():
            path.unlink()

    waiting = Receiver(second)
    public = load_pem_public_key(waiting.public_key.encode())
    assert isinstance(public, rsa.RSAPublicKey)
    opened = {name: operator.decrypt(base64.b64decode(recovery[name]), OAEP) for name in ("kek", "mac_key")}
    again = {name: base64.b64encode(public.encrypt(value, OAEP)).decode() for name, value in opened.items()}
    assert waiting.give(recovery | again)["check"] == recovery["check"]
    with KeyStoreProcess(second) as process:
        keystore = ProcessKeyStore(process.path, deadline_seconds=30)
        assert await keystore.decrypt(key, USE, ciphertext, CONTEXT) == TEXT
        assert await keystore.storage_key() == storage_key
        await keystore.close()
    for path in second.directory.rglob("*"):
        if path.is_file():
            for secret in (*opened.values(), storage_key.reveal()):
                assert secret not in path.read_bytes()


def test_a_ceremony_that_waits_leaves_nothing_when_it_is_given_up(second: SoftHSM) -> None:
    waiting = Receiver(second)
    assert waiting.end() == ""
    assert "no root on its way" in waiting.errors
    assert not list((second.directory / "tokens").iterdir())
    assert not [name for name in os.listdir("/dev/shm") if str(waiting.pid) in name]
