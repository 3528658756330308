"""Where values and documents come from: standard input or a file; never the command line, which others can read."""

import sys
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from secretsd.cli.ctl.standard_input import standard_input
from secretsd.client.errors import ClientError

if TYPE_CHECKING:
    from secretsd.api.fields import BinaryValue, Request, TextValue

MAX_VALUE_BYTES = 64 * 1024
MAX_DOCUMENT_BYTES = 1024 * 1024

Source = Annotated[str, typer.Argument(metavar="-|@FILE", help="Standard input, or a file.", show_default=False)]


def read(source: str, what: str, limit: int) -> bytes:
    """All bytes behind `-` or `@FILE`, as they are. A literal, or more than `limit` bytes, raises ClientError."""
    if source == "-":
        with standard_input() as given:
            return _bounded(given, what, limit)
    if not source.startswith("@"):
        raise ClientError(
            f"cannot take the {what} from the command line: every user of this host can read it there; "
            "give - for standard input, or @FILE"
        )
    path = source[1:]
    try:
        with open(path, "rb") as file:
            return _bounded(file, what, limit)
    except OSError as error:
        reason = error.strerror
    raise ClientError(f"cannot read the {what} from {path}: {reason}")


def read_value(source: str, binary: bool) -> "TextValue | BinaryValue":
    """A value: text when its bytes are valid UTF-8 and nobody forces binary. A terminal is asked without an echo."""
    from secretsd.api.fields import BinaryValue, TextValue

    if source == "-" and sys.stdin.isatty():
        import getpass

        try:
            data = getpass.getpass("value: ").encode()
        except UnicodeError:
            data = None
        if data is None:  # said here, where the error with a piece of the value is not its context
            raise ClientError("cannot take the value: it is not valid Unicode text; give it as @FILE")
    else:
        data = read(source, "value", MAX_VALUE_BYTES)
    if not binary:
        try:
            data.decode()
        except UnicodeDecodeError:
            binary = True
    return BinaryValue(data) if binary else TextValue(data)


def read_document(source: str, what: str, kind: Any) -> Any:
    """A JSON document of the type; ClientError says where it does not fit, never what stands there."""
    import msgspec

    data = read(source, what, MAX_DOCUMENT_BYTES)
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        place = where(error)
    except (msgspec.DecodeError, UnicodeDecodeError):
        place = "it is not JSON"
    raise ClientError(f"cannot read the {what}: {place}")


def read_text(source: str, what: str) -> str:
    """The text behind `-` or `@FILE`."""
    try:
        return read(source, what, MAX_DOCUMENT_BYTES).decode()
    except UnicodeDecodeError:
        pass
    raise ClientError(f"cannot take the {what}: it is not valid UTF-8")


def as_request(fields: dict[str, Any], kind: "type[Request]") -> "Request":
    """The typed request behind a JSON object; ClientError says where it does not fit."""
    import msgspec

    from secretsd.api.fields import read_value as decode_value

    try:
        return msgspec.convert(fields, kind, dec_hook=decode_value)
    except msgspec.ValidationError as error:
        place = where(error)
    raise ClientError(f"cannot make a {kind.__name__}: {place}")


def where(error: Exception) -> str:
    """What msgspec says is wrong, without patterns, and without the one thing that it quotes: a word that is wrong."""
    text = str(error)
    place = text[text.rfind(" - at ") :] if " - at " in text else ""
    if text.startswith("Invalid enum value"):
        return "a word" if not place else "a word that is not one of those allowed" + place
    if text.startswith("Expected `str` matching regex"):
        return "a text that is not of the form asked for" + place
    return text[:1].lower() + text[1:]


def _bounded(file: BinaryIO, what: str, limit: int) -> bytes:
    data = file.read(limit + 1)
    if len(data) > limit:
        raise ClientError(f"cannot take the {what}: it is longer than {limit} bytes")
    return data
