"""One internal error; every dialect translates its kind at the door, and a test proves each table total."""

from enum import Enum
from typing import ClassVar


class ErrorKind(Enum):
    """What went wrong, as callers may know it; the value is the stable word of the native dialect."""

    INVALID_REQUEST = "invalid-request"
    UNAUTHENTICATED = "unauthenticated"
    ACCESS_DENIED = "access-denied"
    NOT_FOUND = "not-found"
    ALREADY_EXISTS = "already-exists"
    CONFLICT = "conflict"
    INVALID_STATE = "invalid-state"
    KEY_DISABLED = "key-disabled"
    INVALID_KEY_USAGE = "invalid-key-usage"
    INVALID_CIPHERTEXT = "invalid-ciphertext"
    UNSUPPORTED = "unsupported"
    LIMIT_EXCEEDED = "limit-exceeded"
    ROTATION_IN_PROGRESS = "rotation-in-progress"
    THROTTLED = "throttled"
    KEYSTORE_UNAVAILABLE = "keystore-unavailable"
    STORAGE_UNAVAILABLE = "storage-unavailable"
    INTERNAL = "internal"


class SecretsdError(Exception):
    """Base of all errors that cross a layer. The message starts with "cannot", names the thing and never a value.

    `retry_after_seconds` is set where trying again later can help.
    """

    kind: ClassVar[ErrorKind] = ErrorKind.INTERNAL

    def __init__(self, message: str | None = None, *, retry_after_seconds: int | None = None) -> None:
        super().__init__(message or (self.__doc__ or "cannot go on").splitlines()[0])
        self.retry_after_seconds = retry_after_seconds

    @property
    def message(self) -> str:
        """The sentence for the caller."""
        return str(self.args[0])


class InvalidRequest(SecretsdError):
    """cannot accept the request as it is"""

    kind = ErrorKind.INVALID_REQUEST


class Unauthenticated(SecretsdError):
    """cannot tell who is calling: no valid proof of identity"""

    kind = ErrorKind.UNAUTHENTICATED


class AccessDenied(SecretsdError):
    """cannot do that: not allowed, or it does not exist"""

    kind = ErrorKind.ACCESS_DENIED

    @classmethod
    def without(cls, permission: str, why: str = "") -> "AccessDenied":
        """What a caller hears who lacks a permission; `why` only where he may know it."""
        return cls(f"cannot do that: {permission} is not allowed, or it does not exist" + (f" ({why})" if why else ""))


class NotFound(SecretsdError):
    """cannot find it"""

    kind = ErrorKind.NOT_FOUND


class AlreadyExists(SecretsdError):
    """cannot create it: it exists already"""

    kind = ErrorKind.ALREADY_EXISTS


class Conflict(SecretsdError):
    """cannot commit: it was changed meanwhile"""

    kind = ErrorKind.CONFLICT


class InvalidState(SecretsdError):
    """cannot do that in its present state"""

    kind = ErrorKind.INVALID_STATE


class KeyDisabled(SecretsdError):
    """cannot use the key: it is disabled"""

    kind = ErrorKind.KEY_DISABLED


class InvalidKeyUsage(SecretsdError):
    """cannot use the key for this: its usage is another one"""

    kind = ErrorKind.INVALID_KEY_USAGE


class InvalidCiphertext(SecretsdError):
    """cannot open the ciphertext"""

    kind = ErrorKind.INVALID_CIPHERTEXT


class Unsupported(SecretsdError):
    """cannot do that: this HSM offers no such algorithm"""

    kind = ErrorKind.UNSUPPORTED


class LimitExceeded(SecretsdError):
    """cannot go past the limit"""

    kind = ErrorKind.LIMIT_EXCEEDED


class RotationInProgress(SecretsdError):
    """cannot serve the value while it is being rotated"""

    kind = ErrorKind.ROTATION_IN_PROGRESS


class Throttled(SecretsdError):
    """cannot take more calls now"""

    kind = ErrorKind.THROTTLED


class KeyStoreUnavailable(SecretsdError):
    """cannot reach the key store"""

    kind = ErrorKind.KEYSTORE_UNAVAILABLE


class StorageUnavailable(SecretsdError):
    """cannot reach the storage"""

    kind = ErrorKind.STORAGE_UNAVAILABLE


class Internal(SecretsdError):
    """cannot go on: an internal error, its cause is in the daemon's log"""

    kind = ErrorKind.INTERNAL
