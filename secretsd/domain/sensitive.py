"""Plaintext: the one type that may hold a secret value, and it shows it to nobody by accident."""

import base64
import binascii
import hmac
from typing import NoReturn, Self

from secretsd.domain.errors import InvalidRequest


class Plaintext:
    """Bytes that must not leak: no repr, no str, no pickle, no ordering, compared in constant time.

    `reveal()` is the one way out; it is called by the response encoder and by the adapters that need the bytes.
    """

    __slots__ = ("_bytes",)

    def __init__(self, data: bytes) -> None:
        self._bytes = bytes(data)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The UTF-8 bytes of `text`; lone surrogates raise InvalidRequest."""
        try:
            return cls(text.encode())
        except UnicodeEncodeError:
            raise InvalidRequest("cannot read the value: it is not valid Unicode text") from None

    @classmethod
    def from_base64(cls, data: bytes) -> Self:
        """The bytes behind standard, padded base64 (RFC 4648 section 4); anything else raises InvalidRequest."""
        try:
            return cls(base64.b64decode(data, validate=True))
        except (binascii.Error, ValueError):
            raise InvalidRequest("cannot read the binary value: it is not base64") from None

    def reveal(self) -> bytes:
        """The bytes themselves. Whoever calls this answers for where they go."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._bytes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plaintext) and hmac.compare_digest(self._bytes, other._bytes)

    __hash__ = None  # type: ignore[assignment]  # a hash would be an unkeyed digest of the value

    def __repr__(self) -> str:
        return "Plaintext(…)"

    def __str__(self) -> str:
        return "Plaintext(…)"

    def __format__(self, spec: str) -> str:
        return "Plaintext(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("cannot pickle a plaintext")
