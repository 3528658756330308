"""A storage for tests of the layers above: the real one, in a temporary directory."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

from secretsd.adapters.sqlite import SqliteStorage, open_storage
from secretsd.domain.records import RecordAuthenticator

TEST_KEY = bytes(range(32))
"""The authenticator key of test storages: no secret of anybody."""


def authenticator() -> RecordAuthenticator:
    """The authenticator that test storages verify records with, and that tests make records with."""
    return RecordAuthenticator(TEST_KEY)


@contextlib.asynccontextmanager
async def temporary_storage(
    path: Path, *, reads: Literal["buffered", "durable"] = "buffered"
) -> AsyncIterator[SqliteStorage]:
    """A storage in `path`; opened again on the same path it holds what was committed before."""
    async with open_storage(path, authenticator(), reads=reads) as storage:
        yield storage
