"""The key ceremony on real tokens: new generations beside processes that serve, old ones destroyed."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.domain.errors import Internal
from secretsd.testing.keystore_suite import CONTEXT, TEXT, USE, metadata
from secretsd.testing.softhsm import KeyStoreProcess, SoftHSM

from .ceremonies import ceremony, rotate

pytestmark = pytest.mark.integration


async def test_a_new_root_is_used_without_a_restart_and_old_keys_move_to_it(
    root: SoftHSM, serving: KeyStoreProcess, client: ProcessKeyStore
) -> None:
    old = await client.generate_key(metadata())
    ciphertext = await client.encrypt(old, USE, TEXT, CONTEXT)
    storage_key = await client.storage_key()
    pid = serving.pid

    made = rotate(root)
    status = await client.status()
    assert status.kek_id == made["root"]["kek_id"] != old.kek_id
    assert [(one.generation, one.held, one.destroyed_ms) for one in status.roots] == [
        (1, False, None),
        (2, False, None),
    ]
    assert (await client.generate_key(metadata())).kek_id == status.kek_id
    assert await client.decrypt(old, USE, ciphertext, CONTEXT) == TEXT  # not wrapped anew yet, and no less good

    moved = await client.rewrap(old)
    assert moved.kek_id == status.kek_id
    assert moved.blob != old.blob
    assert await client.rewrap(moved) == moved
    assert await client.decrypt(moved, USE, ciphertext, CONTEXT) == TEXT
    assert await client.storage_key() == storage_key
    assert serving.pid == pid
    assert (await client.status()).restarts == 0


async def test_an_old_generation_is_destroyed_for_good(
    root: SoftHSM, serving: KeyStoreProcess, client: ProcessKeyStore
) -> None:
    old = await client.generate_key(metadata())
    ciphertext = await client.encrypt(old, USE, TEXT, CONTEXT)
    storage_key = await client.storage_key()
    made = rotate(root)
    await client.status()
    moved = await client.rewrap(old)

    listed = ceremony(root, "destroy-root", generation=1)
    assert [(one["generation"], one["destroyed_ms"] is None) for one in listed["roots"]] == [(1, False), (2, True)]
    assert listed["current"] == listed["storage_key"] == made["root"]["kek_id"]
    assert list(listed["checks"]) == [listed["current"]]
    assert (await client.status()).roots[0].destroyed_ms == listed["roots"][0]["destroyed_ms"]

    serving.restart()
    assert await client.decrypt(moved, USE, ciphertext, CONTEXT) == TEXT
    assert await client.storage_key() == storage_key
    with pytest.raises(Internal, match="its root KEK is not on the token"):
        await client.decrypt(old, USE, ciphertext, CONTEXT)  # as a restored backup would have it


@pytest.mark.parametrize(
    ("generation", "reason"), [(1, "it is the one that wraps now"), (2, "it is not on the token"), (None, "name its")]
)
def test_the_root_that_wraps_is_not_destroyed(root: SoftHSM, generation: int | None, reason: str) -> None:
    before = ceremony(root, "roots")
    with pytest.raises(RuntimeError, match=f"cannot destroy .*{reason}"):
        ceremony(root, "destroy-root", generation=generation)
    assert ceremony(root, "roots") == before


def test_a_root_that_is_held_is_not_destroyed(root: SoftHSM) -> None:
    rotate(root, hold=True)
    before = ceremony(root, "roots")
    with pytest.raises(RuntimeError, match="another node may wrap by it"):
        ceremony(root, "destroy-root", generation=2)
    assert ceremony(root, "roots") == before


async def test_the_storage_key_outlives_a_root_that_it_was_left_under(
    root: SoftHSM, serving: KeyStoreProcess, client: ProcessKeyStore
) -> None:
    """As after a rotation that was cut short at its very end."""
    storage_key, file = await client.storage_key(), root.data_dir / "storage-key.sealed"
    sealed = file.read_bytes()
    rotate(root)
    file.write_bytes(sealed)
    assert await client.storage_key() == storage_key
    listed = ceremony(root, "destroy-root", generation=1)
    assert listed["storage_key"] == listed["current"]
    serving.restart()
    assert await client.storage_key() == storage_key


async def test_a_key_store_elsewhere_on_the_same_token_takes_up_the_root_from_the_first_row(
    root: SoftHSM, client: ProcessKeyStore, tmp_path: Path
) -> None:
    """A networked HSM: no file of a ceremony tells it, so an unknown root is looked for on the token."""
    elsewhere = replace(root, directory=tmp_path / "elsewhere")
    shutil.copytree(root.data_dir, elsewhere.data_dir)
    with KeyStoreProcess(elsewhere) as process:
        there = ProcessKeyStore(process.path, deadline_seconds=30)
        old = await there.generate_key(metadata())
        rotate(root)
        await client.status()
        key = await client.generate_key(metadata())
        assert key.kek_id != old.kek_id
        ciphertext = await client.encrypt(key, USE, TEXT, CONTEXT)
        assert await there.decrypt(key, USE, ciphertext, CONTEXT) == TEXT
        await there.close()


async def test_a_held_root_wraps_nothing_until_it_is_used(
    root: SoftHSM, serving: KeyStoreProcess, client: ProcessKeyStore
) -> None:
    first = (await client.status()).kek_id
    made = rotate(root, hold=True)
    status = await client.status()
    assert status.kek_id == first
    assert [one.held for one in status.roots] == [False, True]
    assert (await client.generate_key(metadata())).kek_id == first
    serving.restart()
    assert (await client.status()).kek_id == first

    listed = ceremony(root, "use-root", generation=2)
    assert listed["current"] == listed["storage_key"] == made["root"]["kek_id"]
    status = await client.status()
    assert status.kek_id == made["root"]["kek_id"]
    first_root, second_root = status.roots
    assert first_root.used_ms is None
    assert second_root.used_ms is not None
    assert second_root.used_ms > second_root.made_ms
    with pytest.raises(RuntimeError, match="cannot use generation 2 of the root: none such is held"):
        ceremony(root, "use-root", generation=2)


async def test_a_root_that_is_held_here_loses_no_key_to_the_older_one(root: SoftHSM, client: ProcessKeyStore) -> None:
    """Another node uses it already: what that one wrapped anew must not be wrapped back, for ever to and fro."""
    key = await client.generate_key(metadata())
    rotate(root)
    await client.status()
    moved = await client.rewrap(key)
    history = root.data_dir / "root-history"
    beside = history.with_name("beside")
    roots = json.loads(history.read_text())
    roots[1]["held"] = True
    beside.write_text(json.dumps(roots))
    beside.rename(history)
    assert (await client.status()).kek_id == key.kek_id
    assert await client.rewrap(moved) == moved


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"so_pin": "not the SO PIN"}, "cannot log in as the token's security officer: it refuses the SO PIN"),
        ({"so_pin": None}, "the SO PIN is missing"),
        ({"refuse_recovery": False}, "name a recovery key, or refuse one"),
        ({"recovery_public_key": "no key", "refuse_recovery": False}, "no RSA public key in PEM form"),
    ],
)
def test_what_cannot_be_rotated_leaves_the_root_as_it_was(root: SoftHSM, more: dict[str, Any], reason: str) -> None:
    before = ceremony(root, "roots")
    with pytest.raises(RuntimeError, match=reason):
        rotate(root, **more)
    assert ceremony(root, "roots") == before
