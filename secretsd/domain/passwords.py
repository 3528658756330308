"""Passwords by policy: which characters, how many, and a uniform draw among all passwords that obey."""

import string
from collections.abc import Callable
from dataclasses import dataclass

from secretsd.domain.errors import InvalidRequest

MAX_LENGTH = 4096
_MAX_DRAWS = 100_000


@dataclass(frozen=True, slots=True)
class PasswordPolicy:
    """What a password consists of; the names are those of GetRandomPassword.

    `length` counts characters, 1 to 4,096. Letters and digits are those of ASCII, punctuation is its 32 marks.
    `include_space` adds the space, which no required type covers.
    """

    length: int = 32
    exclude_characters: str = ""
    exclude_numbers: bool = False
    exclude_punctuation: bool = False
    exclude_uppercase: bool = False
    exclude_lowercase: bool = False
    include_space: bool = False
    require_each_included_type: bool = True

    def types(self) -> list[str]:
        """The included types' characters, one string a type.

        InvalidRequest when no password can obey: nothing is left to draw from, a required type is wholly excluded by
        characters, or there are more required types than characters.
        """
        if not 1 <= self.length <= MAX_LENGTH:
            raise InvalidRequest(f"cannot make a password: its length is not between 1 and {MAX_LENGTH}")
        included = [
            ("lowercase letters", string.ascii_lowercase, not self.exclude_lowercase),
            ("uppercase letters", string.ascii_uppercase, not self.exclude_uppercase),
            ("numbers", string.digits, not self.exclude_numbers),
            ("punctuation", string.punctuation, not self.exclude_punctuation),
        ]
        left = []
        for name, characters, wanted in included:
            allowed = "".join(character for character in characters if character not in self.exclude_characters)
            if wanted and allowed:
                left.append(allowed)
            elif wanted and self.require_each_included_type:
                raise InvalidRequest(f"cannot make a password: all {name} are excluded, but one is required")
        if self.require_each_included_type and len(left) > self.length:
            raise InvalidRequest("cannot make a password: it is shorter than the number of required types")
        if not left and not self._space():
            raise InvalidRequest("cannot make a password: every character is excluded")
        return left

    def alphabet(self) -> str:
        """Every character that may occur, each once; InvalidRequest as `types`."""
        return "".join(self.types()) + self._space()

    def _space(self) -> str:
        return " " if self.include_space and " " not in self.exclude_characters else ""


def generate(policy: PasswordPolicy, choose: Callable[[int], int]) -> str:
    """A password, each that obeys the policy as likely as any other; InvalidRequest when none can.

    `choose(n)` draws uniformly from 0 to n - 1 and must be fit for secrets. A password without a required type is
    thrown away whole and drawn again: putting a character of each type in place first would favour some passwords.
    """
    types, alphabet = policy.types(), policy.alphabet()
    for _ in range(_MAX_DRAWS):
        password = "".join(alphabet[choose(len(alphabet))] for _ in range(policy.length))
        if not policy.require_each_included_type or all(not set(kind).isdisjoint(password) for kind in types):
            return password
    # Even the narrowest policy obeys once in some 2,000 draws, so whoever comes here has no random source.
    raise InvalidRequest("cannot make a password: the random source keeps returning the same")
