"""secretsd.yaml as frozen settings."""

from secretsd.settings.checks import check
from secretsd.settings.document import as_document, from_document, load
from secretsd.settings.file import BadSettings, read
from secretsd.settings.parts import CREDENTIAL, DEFAULT_CONFIG, HTTPSettings, Settings, UserSettings, address

__all__ = [
    "CREDENTIAL",
    "DEFAULT_CONFIG",
    "BadSettings",
    "HTTPSettings",
    "Settings",
    "UserSettings",
    "address",
    "as_document",
    "check",
    "from_document",
    "load",
    "read",
]
