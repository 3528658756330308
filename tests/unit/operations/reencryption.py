"""What tests of re-encryption share: a key whose first version guards secrets, and the service run to its end."""

import asyncio
from dataclasses import replace

from secretsd.domain.principals import KEY_ROTATION_ROLE, Principal
from secretsd.operations.key_reencryption import ContinueReEncryptionRequest
from secretsd.operations.registry import OPERATIONS
from secretsd.ports.storage import Replace, UnitOfWork
from secretsd.services.key_reencryption import ReEncryptions
from secretsd.testing import samples
from secretsd.testing.storage import authenticator

FAST = 10_000
SECRETS = 25


async def prepared(house, count=SECRETS):
    """A key of two versions, the first of which guards `count` secrets of two versions each."""
    key = (await house.call("CreateKey")).id
    for number in range(count):
        await house.call("CreateSecret", name=f"s-{number:03}", text=f"old {number}", key_id=key)
        await house.call("PutSecretValue", name=f"s-{number:03}", text=f"value {number}")
    await house.call("RotateKeyOnDemand", key=key)
    return key


async def run(house, seconds=30):
    """The service until nothing is due."""
    service = ReEncryptions(house.pipeline)
    await service.ensure()
    async with asyncio.timeout(seconds):
        await service.settled()


async def step(house, key, account=None):
    principal = Principal(account or house.account, KEY_ROTATION_ROLE, "schedule")
    request = ContinueReEncryptionRequest(key=key, epoch=1)
    return await house.pipeline.run_scheduled(OPERATIONS["ContinueReEncryption"], request, principal, None)


async def progress(house, key):
    return await house.call("DescribeReEncryption", key=key)


async def guarded(house, key, version):
    found = []
    after = ("", "")
    while page := await house.storage.keys.guarded(key, version, after, 100):
        found += page
        after = (page[-1].secret_id, page[-1].id)
    return found


async def require_all_readable(house, count=SECRETS):
    house.sealer.forget()
    for number in range(count):
        assert await house.text(f"s-{number:03}") == f"value {number}"
        assert await house.text(f"s-{number:03}", stage="previous") == f"old {number}"


async def changed(house, before, after):
    after = replace(after, revision=before.revision + 1)
    change = Replace(before, after, authenticator().mac(after))
    await house.storage.commit(UnitOfWork((change,), samples.event("Changed", accounts=(samples.OTHER_ACCOUNT,))))
    house.storage.refresh()
    return after
