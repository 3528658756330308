"""Keys on their way to the end, for tests: one that waits, a step as the service takes it, rows as others leave."""

from dataclasses import replace
from typing import Any

from secretsd.api.keys import OfKey
from secretsd.domain.keys import CMK
from secretsd.domain.principals import ROTATION_ROLE, Principal
from secretsd.operations.registry import OPERATIONS
from secretsd.ports.storage import Replace, UnitOfWork
from secretsd.testing import samples
from secretsd.testing.storage import authenticator

House = Any  # the fixture `house`
HOUR_MS = 3600 * 1000


async def waiting(house: House, **fields: Any) -> str:
    """A key whose day is in a week."""
    key = str((await house.call("CreateKey", **fields)).id)
    await house.call("ScheduleKeyDeletion", key=key, pending_window_days=7)
    return key


async def step(house: House, name: str, key: str) -> Any:
    """One step, as the service takes it."""
    principal = Principal(house.account, ROTATION_ROLE, "schedule")
    return await house.pipeline.run_scheduled(OPERATIONS[name], OfKey(key=key), principal, None)


async def rewrite(house: House, before: Any, **fields: Any) -> Any:
    """A change of a record that no operation of this noun makes; the record after it."""
    after = replace(before, **fields, revision=before.revision + 1)
    change = Replace(before, after, authenticator().mac(after))
    await house.storage.commit(UnitOfWork((change,), samples.event("Rewritten", accounts=(samples.OTHER_ACCOUNT,))))
    house.storage.refresh()
    return after


async def row(house: House, key: str) -> CMK:
    """The key as it is stored."""
    stored: CMK = await house.storage.keys.get(house.account, key)
    return stored


async def events_of(house: House, *names: str) -> list[dict[str, Any]]:
    """The events of these operations in the account, in order."""
    return [event for event in await house.events() if event["operation"] in names]
