"""Logging in with a fetched value: a login that the target refuses is tried once more with the value read again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from secretsd.api.values import GetSecretValueResponse
from secretsd.client.cache import value_of

Made = TypeVar("Made")
Refused = type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool]
"""Which errors mean that the target refused the credential: their types, or a function that tells."""


@dataclass(frozen=True, slots=True)
class Login(Generic[Made]):
    """What `connect` made, with which version, and whether that had to be read again after a refusal."""

    connection: Made
    version_id: str
    reread: bool


def is_refusal(error: Exception, refused: Refused) -> bool:
    """Whether the error means that the target refused the credential."""
    if isinstance(refused, (type, tuple)):
        return isinstance(error, refused)
    return refused(error)


def worth_another(tried: GetSecretValueResponse, again: GetSecretValueResponse) -> bool:
    """Whether the value that was read again may be accepted where the one that was tried was not.

    The same value is not tried twice, for targets count failed logins; unless it was unproved, and has been since.
    """
    same = tried.version_id == again.version_id and value_of(tried) == value_of(again)
    return not same or (tried.unproved and not again.unproved)
