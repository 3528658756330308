"""Globs of policies: `*` is any text, `?` any character but the star of a list; and resources named by them."""

import fnmatch
import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from secretsd.domain.names import Resource, is_account

MAX_PATTERN_LENGTH = 600
_WILD = re.compile(r"[*?]")
Matcher = Callable[[str], object]
"""Truthy where the text matches."""


@lru_cache(maxsize=16_384)
def glob(pattern: str) -> Matcher:
    """The pattern made ready: a comparison or a prefix where it is no more than that, else a regular expression."""
    head = pattern[:-1]
    if "*" not in head and "?" not in pattern:
        return head_matcher(head) if pattern.endswith("*") else pattern.__eq__
    # fnmatch writes each "*" as an atomic group, so that no pattern can blow up; brackets are no globs here. A list is
    # named by its prefix and a star, which stands for every name under it: one character "?" must not cover that.
    return re.compile(fnmatch.translate(pattern.replace("[", "[[]").replace("?", "[!*]"))).match


def literal_head(pattern: str) -> str:
    """What begins all that the pattern matches: its text up to the first `*` or `?`."""
    return _WILD.split(pattern, maxsplit=1)[0]


def head_matcher(head: str) -> Matcher:
    """Matches whatever begins so."""
    return (lambda _: True) if not head else lambda text: text.startswith(head)


class ResourcePattern(NamedTuple):
    """Resources of one account whose path matches; `account` is None for those of every account."""

    account: str | None
    path: Matcher

    @classmethod
    def of(cls, pattern: str, own_account: str) -> "ResourcePattern":
        """What a statement's resource means: without an account in front it is the policy's own."""
        if pattern.startswith("secretsd:"):
            _, account, path = pattern.split(":", 2)
            return cls(account, glob(path))
        return cls(own_account, glob(pattern))

    def covers(self, resource: Resource) -> bool:
        """True where the resource is one of these."""
        return self.account in (resource.account, None) and bool(self.path(resource.path))


def is_resource_pattern(pattern: str) -> bool:
    """True for a path's glob, and for secretsd:<account>:<path's glob> with an account that is named in full."""
    if not pattern.startswith("secretsd:"):
        return 1 <= len(pattern) <= MAX_PATTERN_LENGTH
    parts = pattern.split(":", 2)
    return len(pattern) <= MAX_PATTERN_LENGTH and len(parts) == 3 and is_account(parts[1]) and parts[2] != ""
