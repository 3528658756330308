"""A call that another one overtakes: between what it read and what it commits, something else is committed."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest


def overtaken(house: Any, monkeypatch: pytest.MonkeyPatch, by: Callable[[], Awaitable[Any]]) -> list[bool]:
    """Let `by` happen right before the next commit of the house; the list has an entry once that was so."""
    storage = type(house.parts.storage)
    genuine = storage.commit
    happened: list[bool] = []

    async def late(self: Any, unit: Any) -> None:
        monkeypatch.setattr(storage, "commit", genuine)
        await by()
        happened.append(True)
        await genuine(self, unit)

    monkeypatch.setattr(storage, "commit", late)
    return happened
