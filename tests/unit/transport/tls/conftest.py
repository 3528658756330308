"""The daemon's own loop, whose TLS is its own, and a place to try it at."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
import uvloop

from secretsd.testing.client_certificates import Signer
from tests.unit.transport.tls.place import SERVERS, Place


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    made = Place(tmp_path)
    made.write(*SERVERS.issue("localhost", "127.0.0.1"))
    yield made
    await made.close()


@pytest.fixture(scope="module")
def root() -> Signer:
    return Signer("root")


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "secretsd.tls")
    return caplog
