"""Random passwords by policy: which characters, how many, each kind at least once."""

import string
from collections.abc import Callable
from dataclasses import dataclass

from secretsd.domain.errors import InvalidRequest

MAX_LENGTH = 4096


@dataclass(frozen=True, slots=True)
class PasswordPolicy:
    """What a password is made of: `length` characters of the kinds that are not excluded.

    With `require_each_included_type` every kind that is left appears at least once.
    """

    length: int = 32
    exclude_characters: str = ""
    exclude_lowercase: bool = False
    exclude_uppercase: bool = False
    exclude_numbers: bool = False
    exclude_punctuation: bool = False
    include_space: bool = False
    require_each_included_type: bool = True

    def alphabets(self) -> tuple[str, ...]:
        """The characters of each kind that is left; InvalidRequest when nothing, or too little room, is left."""
        kinds = (
            (string.ascii_lowercase, not self.exclude_lowercase),
            (string.ascii_uppercase, not self.exclude_uppercase),
            (string.digits, not self.exclude_numbers),
            (string.punctuation, not self.exclude_punctuation),
            (" ", self.include_space),
        )
        excluded = set(self.exclude_characters)
        wanted = ["".join(sorted(set(kind) - excluded)) for kind, included in kinds if included]
        if not 1 <= self.length <= MAX_LENGTH:
            raise InvalidRequest(f"cannot make the password: its length is from 1 to {MAX_LENGTH}")
        if not any(wanted):
            raise InvalidRequest("cannot make the password: every character is excluded")
        if self.require_each_included_type:
            if not all(wanted):
                raise InvalidRequest("cannot make the password: all characters of a required kind are excluded")
            if len(wanted) > self.length:
                raise InvalidRequest(f"cannot make the password: {len(wanted)} required kinds need more characters")
        return tuple(kind for kind in wanted if kind)


def generate(policy: PasswordPolicy, choose: Callable[[int], int]) -> str:
    """A password; `choose(n)` is a uniform random number from 0 to n - 1.

    Drawn over the whole alphabet and thrown away until each required kind is there: every password that the policy
    allows is equally likely. Where that would take too long (a short password of many kinds), one character of each
    kind is placed first and the whole is shuffled.
    """
    kinds = policy.alphabets()
    alphabet = "".join(kinds)
    for _ in range(100):
        drawn = [alphabet[choose(len(alphabet))] for _ in range(policy.length)]
        if not policy.require_each_included_type or all(set(kind).intersection(drawn) for kind in kinds):
            return "".join(drawn)
    drawn = [kind[choose(len(kind))] for kind in kinds]
    drawn += [alphabet[choose(len(alphabet))] for _ in range(policy.length - len(kinds))]
    for last in range(len(drawn) - 1, 0, -1):
        other = choose(last + 1)
        drawn[last], drawn[other] = drawn[other], drawn[last]
    return "".join(drawn)
