"""Messages of small frames, and a daemon for them."""

import io

import pytest

from secretsd.client.encryption import Encryption
from secretsd.client.encryption.header import read_header
from secretsd.client.encryption.source import MessageReader
from tests.unit.client.data_key_daemon import KEY, DataKeyDaemon

FRAME = 16
CONTEXT = {"order": "17", "shop": "düsseldorf"}


@pytest.fixture
def daemon() -> DataKeyDaemon:
    return DataKeyDaemon()


@pytest.fixture
def encryption(daemon: DataKeyDaemon) -> Encryption:
    return Encryption(daemon, KEY, frame_bytes=FRAME)


def header_length(message: bytes) -> int:
    """Where the first frame begins."""
    source = io.BytesIO(message)
    read_header(MessageReader(source))
    return source.tell()
