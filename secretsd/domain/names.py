"""Names and identities of things: accounts, resource names, and the alphabets that they are written in."""

import re
from typing import NamedTuple

from secretsd.domain.errors import InvalidRequest

SYSTEM_ACCOUNT = "system"
"""The account that owns accounts, targets, proof spaces and the log; no `*` reaches into it (SECURITY 13)."""

LAST_MS = 253_402_300_799_999
"""The last millisecond of the year 9999, as milliseconds since 1970: later moments have no name (RFC 3339)."""

MAX_NAME_LENGTH = 512
# A segment is neither empty nor "." nor ".."; the last look-ahead keeps "$" from passing over a final line break.
SEGMENT = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9_+=.@!-]+"
NAME_PATTERN = rf"^{SEGMENT}(?:/{SEGMENT})*$(?![\s\S])"
WORD_PATTERN = r"^[A-Za-z0-9_+=.@-]{1,128}$(?![\s\S])"
KEY_ID_PATTERN = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
ALIAS_PATTERN = r"[A-Za-z0-9/_-]{1,250}"
VERSION_ID_PATTERN = r"^[A-Za-z0-9_.:+=@-]{1,64}$(?![\s\S])"
STAGE_PATTERN = r"^[A-Za-z0-9_.:+=@/-]{1,256}$(?![\s\S])"
ACCOUNT_PATTERN = r"^(?:[0-9]{12}|system)$(?![\s\S])"

_NAME = re.compile(NAME_PATTERN)
_WORD = re.compile(WORD_PATTERN)
_ACCOUNT = re.compile(ACCOUNT_PATTERN)


def require_name(name: str, what: str) -> str:
    """The name itself when it is made of legal segments; else InvalidRequest that names `what`, never the text."""
    if len(name) > MAX_NAME_LENGTH or not _NAME.match(name):
        raise InvalidRequest(
            f"cannot accept the {what}: 1 to {MAX_NAME_LENGTH} of A-Z a-z 0-9 / _ + = . @ ! -, "
            "without empty, '.' or '..' segments"
        )
    return name


def require_word(word: str, what: str) -> str:
    """The word itself (users, policies: one segment, 1 to 128 characters); else InvalidRequest that names `what`."""
    if not _WORD.match(word):
        raise InvalidRequest(f"cannot accept the {what}: 1 to 128 of A-Z a-z 0-9 _ + = . @ -")
    return word


def is_account(text: str) -> bool:
    """True for twelve digits or `system`."""
    return _ACCOUNT.match(text) is not None


def split_reference(reference: str) -> tuple[str | None, str]:
    """The account that a reference names and the rest of it: None for `key/<uuid>`, `secret/<name>` and the like."""
    if not reference.startswith("secretsd:"):
        return None, reference
    _, account, path = reference.split(":", 2)
    return account, path


class Resource(NamedTuple):
    """What an operation acts on: `account` and a path such as `secret/prod/db/app`, `key/<uuid>` or `user/ann`."""

    account: str
    path: str

    def __str__(self) -> str:
        return f"secretsd:{self.account}:{self.path}"

    @classmethod
    def parse(cls, text: str) -> "Resource":
        """The resource behind its full form; anything else raises InvalidRequest."""
        parts = text.split(":", 2)
        if len(parts) != 3 or parts[0] != "secretsd" or not is_account(parts[1]) or not parts[2]:
            raise InvalidRequest("cannot read the resource: its form is secretsd:<account>:<path>")
        return cls(parts[1], parts[2])
