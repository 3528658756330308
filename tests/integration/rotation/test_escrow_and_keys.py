"""A backup from before a key was rotated, or made: what the escrow holds is under a key version that it lacks."""

from typing import Any

from secretsd.adapters.file_escrow import FILE
from secretsd.services.key_reencryption import ReEncryptions
from tests.integration.rotation.escrow_host import NAME, Host, make_secret, replays, served


async def key_of(node: Any) -> str:
    return str((await node.call("DescribeSecret", name=NAME)).key_id)


async def test_a_backup_from_before_the_key_was_rotated_locks_nobody_out(host: Host) -> None:
    async with host.running() as node:
        await make_secret(host, node)
        key = await key_of(node)
    host.back_up()
    async with host.running() as node:
        await node.call("RotateKeyOnDemand", key=key)
        await node.call("RotateKeyOnDemand", key=key)
        await host.rotate(node)
        last = await served(host, node)
    host.put_back()
    async with host.running() as node:
        assert host.replayed == 1
        assert await served(host, node) == last
        assert await replays(node) == ["ok"]
        status = await node.call("GetKeyRotationStatus", key=key)
        assert status.current_version == 3
        # Versions go on behind those that are known to have been.
        assert (await node.call("RotateKeyOnDemand", key=key)).current_version == 4
        await host.rotate(node)
        await served(host, node)


async def test_a_backup_from_before_the_key_was_made(host: Host) -> None:
    async with host.running() as node:
        await make_secret(host, node)
    host.back_up()
    async with host.running() as node:
        key = (await node.call("CreateKey")).id
        await node.call("UpdateSecret", name=NAME, key_id=key)
        await host.rotate(node)
        last = await served(host, node)
    host.put_back()
    async with host.running() as node:
        assert host.replayed == 1
        assert await served(host, node) == last
        assert (await node.call("DescribeKey", key=key)).state == "enabled"


async def test_what_was_re_encrypted_in_the_escrow_comes_back_under_its_new_version(host: Host) -> None:
    """The old version is destroyed, and the backup, the key store's tombstone beside it, needs it no more."""
    async with host.running() as node:
        await make_secret(host, node)
        key = await key_of(node)
    host.back_up()
    async with host.running() as node:
        await host.rotate(node)
        last = await served(host, node)
        await node.call("RotateKeyOnDemand", key=key)
        begun = await node.call("ReEncryptSecrets", key=key, per_second=10_000)
        assert begun.left["escrow-entry"] >= 1
        service = ReEncryptions(node.pipeline)
        await service.ensure()
        await service.settled()
        assert (await node.call("DescribeReEncryption", key=key)).left == {}
        assert (await node.call("DestroyKeyVersion", key=key, version=1)).oldest_version == 2
        assert await node.text() == last
    host.put_back()
    async with host.running() as node:
        assert host.replayed == 1
        found = await node.storage.secrets.get(node.account, NAME)
        pending = await node.storage.secrets.version(node.account, found.id, found.stages["pending"])
        assert pending.key_version == 2


async def test_without_the_escrow_nothing_of_it_comes_back(host: Host) -> None:
    async with host.running() as node:
        await make_secret(host, node)
        key = await key_of(node)
    host.back_up()
    async with host.running() as node:
        await node.call("RotateKeyOnDemand", key=key)
        await host.rotate(node)
    host.put_back()
    (host.escrow_dir / FILE).unlink()
    async with host.running() as node:
        assert host.replayed == 0
        assert (await node.call("GetKeyRotationStatus", key=key)).current_version == 1
