"""The Python client: asynchronous, with a thin synchronous face and a bounded cache of values."""

from secretsd.api.fields import BinaryValue, TextValue
from secretsd.api.watch import SecretChange
from secretsd.client.cache import SecretCache
from secretsd.client.client import Client, Health
from secretsd.client.errors import ClientError, DaemonUnavailable, UnreadableAnswer
from secretsd.client.login import Login
from secretsd.client.retries import Retries
from secretsd.client.tls import TlsFiles
from secretsd.domain.errors import SecretsdError
from secretsd.domain.sensitive import Plaintext

__all__ = [
    "BinaryValue",
    "Client",
    "ClientError",
    "DaemonUnavailable",
    "Health",
    "Login",
    "Plaintext",
    "Retries",
    "SecretCache",
    "SecretChange",
    "SecretsdError",
    "TextValue",
    "TlsFiles",
    "UnreadableAnswer",
]
