"""Envelope encryption for applications: messages of any size, encrypted here under data keys that the daemon gives."""

from secretsd.client.encryption.data_keys import Limits
from secretsd.client.encryption.encryption import Encryption
from secretsd.client.encryption.frames import DEFAULT_FRAME_BYTES
from secretsd.client.encryption.header import EncryptedDataKey, MessageHeader
from secretsd.client.encryption.new_file import new_file
from secretsd.client.encryption.sync import SyncEncryption
from secretsd.domain.errors import InvalidCiphertext

__all__ = [
    "DEFAULT_FRAME_BYTES",
    "EncryptedDataKey",
    "Encryption",
    "InvalidCiphertext",
    "Limits",
    "MessageHeader",
    "SyncEncryption",
    "new_file",
]
