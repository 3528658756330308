"""Where requests begin and end, and which of them we do not take: the rules that stand beside aiohttp's parser."""

import base64
from typing import Any
from urllib.parse import unquote_plus

from aiohttp import HttpVersion10, HttpVersion11
from aiohttp.http_exceptions import LineTooLong
from aiohttp.http_parser import RawRequestMessage

from secretsd.domain.credentials import KeyPair
from secretsd.domain.errors import InvalidRequest, LimitExceeded, SecretsdError
from secretsd.domain.sensitive import Plaintext
from secretsd.transport.limits import Limits

END_OF_HEAD = b"\r\n\r\n"


class Refused(Exception):
    """The request is answered before any operation, and the connection closed after it."""

    def __init__(self, status: int, error: SecretsdError) -> None:
        super().__init__()
        self.status = status
        self.error = error


def parsed(message: Any, limits: Limits) -> tuple[RawRequestMessage, Plaintext | KeyPair | None]:
    """The head that the parser made out and what it shows to prove the caller: a bearer token or an access key.

    Refused: the parser's error, or two proofs of identity.

    The parser's own texts quote the request, so they are looked at here and go no further.
    """
    if type(message) is not RawRequestMessage:  # then it is the parser's error in the place of a request
        if isinstance(message.exc, LineTooLong):
            most = f"{limits.max_line_bytes} bytes, or a header field over {limits.max_field_bytes}"
            raise Refused(431, LimitExceeded(f"cannot read the request: its first line is over {most}"))
        if str(message.message).startswith("Too many headers"):  # aiohttp has no type of its own for it
            raise Refused(431, LimitExceeded(f"cannot read the request: more than {limits.max_headers} headers"))
        raise Refused(400, InvalidRequest("cannot read the request: it is not HTTP/1.1 as we accept it"))
    proofs = message.headers.getall("Authorization", None)
    if proofs is None:
        return message, None
    if len(proofs) > 1:
        raise Refused(400, InvalidRequest("cannot tell who is calling: more than one Authorization header"))
    return message, shown(proofs[0])


def require_offered(request: RawRequestMessage) -> None:
    """Raise Refused for what HTTP knows and we do not offer."""
    headers = request.headers
    if request.version is not HttpVersion11 and request.version is not HttpVersion10:
        raise Refused(400, InvalidRequest("cannot read the request: its version is neither HTTP/1.1 nor HTTP/1.0"))
    if request.upgrade or "Content-Encoding" in headers:
        raise Refused(400, InvalidRequest("cannot read the request: no upgrade and no encoding is offered"))
    if "Transfer-Encoding" in headers and headers["Transfer-Encoding"].strip().lower() != "chunked":
        raise Refused(400, InvalidRequest("cannot read the body: no transfer encoding but chunked is offered"))
    if not request.path.isascii() or "#" in request.path:
        raise Refused(400, InvalidRequest("cannot read the path: a URL is made of ASCII without a fragment"))


def ends_with(data: bytes, message: Any, payload: Any) -> bool:
    """Whether `data`, in which the complete `message` was the last to be found, ends where the message does.

    The parser does not say it. A chunked body ends as a head does, if its sender ends it in one write; where that is
    wrong, the worst is a deadline on a connection that has only begun to send its next request.
    """
    size = 0 if getattr(message, "chunked", False) else payload.total_bytes
    if size == 0:
        return data.endswith(END_OF_HEAD)
    start = max(0, len(data) - size - len(END_OF_HEAD))
    return END_OF_HEAD.endswith(data[start : len(data) - size])


def shown(authorization: str) -> Plaintext | KeyPair:
    """What an Authorization header shows; whatever else stands there proves nothing, as an empty token does.

    Bearer (RFC 6750) is a token, Basic (RFC 7617) id and secret of an access key.
    """
    scheme, _, rest = authorization.partition(" ")
    match scheme.lower():
        case "bearer":
            return Plaintext(rest.strip().encode("utf-8", "surrogateescape"))
        case "basic":
            return _basic(rest.strip()) or Plaintext(b"")
    return Plaintext(b"")


def _basic(credentials: str) -> KeyPair | None:
    """Id and secret, or None for what is neither; OAuth's clients encode both as a form does (RFC 6749 2.3.1)."""
    try:
        identifier, colon, secret = base64.b64decode(credentials, validate=True).decode("ascii").partition(":")
    except ValueError:
        return None
    return KeyPair(unquote_plus(identifier), Plaintext.from_text(unquote_plus(secret))) if colon else None
