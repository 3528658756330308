"""What requests and responses are made of, and the codec that lets a value in or out as text or base64."""

import base64
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from secretsd.domain.names import (
    ALIAS_PATTERN,
    KEY_ID_PATTERN,
    LAST_MS,
    NAME_PATTERN,
    SEGMENT,
    STAGE_PATTERN,
    VERSION_ID_PATTERN,
    WORD_PATTERN,
)
from secretsd.domain.secrets import MAX_VALUE_BYTES
from secretsd.domain.sensitive import Plaintext

BASE64_PATTERN = r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$(?![\s\S])"


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked. An unknown field is an error, not a misunderstanding."""

    @property
    def resource_path(self) -> str:
        """What the operation acts on, within the caller's account unless `resource_account` says otherwise."""
        return "account"

    @property
    def resource_account(self) -> str | None:
        """The account of the resource; None is the caller's own."""
        return None


class Response(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is answered. Fields that are not set are left out."""


class DoneResponse(Response, frozen=True, kw_only=True):
    """It is done; there is nothing more to say."""


class TextValue(Plaintext):
    """A value that is text: a JSON string on the wire."""

    __slots__ = ()


class BinaryValue(Plaintext):
    """A value of any bytes: standard base64 on the wire."""

    __slots__ = ()


SecretName = Annotated[str, Meta(pattern=NAME_PATTERN, min_length=1, max_length=512, description="Name of a secret.")]
SecretReference = Annotated[
    str,
    Meta(
        pattern=rf"^(?:secretsd:[0-9]{{12}}:secret/)?{SEGMENT}(?:/{SEGMENT})*$(?![\s\S])",
        min_length=1,
        max_length=540,
        description="A secret: its name, or in full, `secretsd:<account>:secret/<name>`.",
    ),
]
Word = Annotated[str, Meta(pattern=WORD_PATTERN, min_length=1, max_length=128, description="One segment of a name.")]
KeyId = Annotated[str, Meta(pattern=rf"^{KEY_ID_PATTERN}$(?![\s\S])", description="UUID of a CMK.")]
KeyReference = Annotated[
    str,
    Meta(
        pattern=rf"^(?:secretsd:[0-9]{{12}}:(?:key/{KEY_ID_PATTERN}|alias/{ALIAS_PATTERN})"
        rf"|(?:key/)?{KEY_ID_PATTERN}|alias/{ALIAS_PATTERN})$(?![\s\S])",
        max_length=300,
        description="A CMK: its UUID, `alias/` and one of its aliases, or either in full, `secretsd:<account>:…`.",
    ),
]
AliasName = Annotated[
    str, Meta(pattern=rf"^{ALIAS_PATTERN}$(?![\s\S])", description="An alias of a CMK, without `alias/`.")
]
VersionId = Annotated[
    str, Meta(pattern=VERSION_ID_PATTERN, min_length=1, max_length=64, description="Token or UUID of a secret version.")
]
Stage = Annotated[str, Meta(pattern=STAGE_PATTERN, min_length=1, max_length=256, description="A version stage.")]
Stages = Annotated[tuple[Stage, ...], Meta(min_length=1, max_length=20)]
Description = Annotated[str, Meta(max_length=2048)]
TagKey = Annotated[str, Meta(min_length=1, max_length=128)]
TagKeys = Annotated[tuple[TagKey, ...], Meta(min_length=1, max_length=50)]
Tags = Annotated[Mapping[TagKey, Annotated[str, Meta(max_length=256)]], Meta(max_length=50)]
Limit = Annotated[int, Meta(ge=1, le=100, description="Most items in one page.")]
PageToken = Annotated[str, Meta(max_length=2048, description="The `next_token` of the page before.")]
Milliseconds = Annotated[
    int, Meta(ge=0, le=LAST_MS, description="Milliseconds since 1970-01-01 UTC, within the year 9999 at most.")
]


def read_value(kind: type, found: Any) -> Any:
    """msgspec's decode hook: values come in as strings and become Plaintext before anybody sees them."""
    if kind in (TextValue, BinaryValue):
        if not isinstance(found, str):
            raise TypeError("not a string")  # msgspec makes a ValidationError of it, with the place
        return TextValue.from_text(found) if kind is TextValue else BinaryValue.from_base64(found.encode())
    raise NotImplementedError


def show_value(value: Any) -> Any:
    """msgspec's encode hook, for the response encoder and the client's request encoder only: values go out here."""
    if type(value) is TextValue:
        return value.reveal().decode()
    if type(value) is BinaryValue:
        return base64.b64encode(value.reveal()).decode()
    raise NotImplementedError


def value_schema(kind: type) -> dict[str, Any]:
    """msgspec's schema hook: what a value looks like on the wire."""
    if kind is TextValue:
        description = "A value that is text, at most 64 KiB of UTF-8."
        return {"type": "string", "maxLength": MAX_VALUE_BYTES, "description": description}
    if kind is BinaryValue:
        return {
            "type": "string",
            "contentEncoding": "base64",
            "pattern": BASE64_PATTERN,
            "maxLength": -(-MAX_VALUE_BYTES // 3) * 4,
            "description": "A value of any bytes, at most 64 KiB, in standard base64.",
        }
    raise NotImplementedError
