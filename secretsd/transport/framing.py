"""Where requests begin and end, and which of them we do not take: the rules that stand beside aiohttp's parser."""

from typing import Any

from aiohttp.http_exceptions import LineTooLong
from aiohttp.http_parser import RawRequestMessage

from secretsd.domain.errors import InvalidRequest, LimitExceeded, SecretsdError
from secretsd.domain.sensitive import Plaintext
from secretsd.transport.limits import Limits

_END_OF_HEAD = b"\r\n\r\n"
_VERSIONS = ((1, 0), (1, 1))


class Refused(Exception):
    """The request is answered before any operation, and the connection closed after it."""

    def __init__(self, status: int, error: SecretsdError) -> None:
        super().__init__()
        self.status = status
        self.error = error


def accept(message: Any, limits: Limits) -> RawRequestMessage:
    """The parsed head as it is, or Refused: with what the parser did not like, or what we do not offer.

    The parser's own texts quote the request, so they are looked at here and go no further.
    """
    if not hasattr(message, "headers"):  # then it is the parser's error in the place of a request
        if isinstance(message.exc, LineTooLong):
            raise Refused(431, LimitExceeded(f"cannot read the request: a line is over {limits.max_line_bytes} bytes"))
        if str(message.message).startswith("Too many headers"):  # aiohttp has no type of its own for it
            raise Refused(431, LimitExceeded(f"cannot read the request: more than {limits.max_headers} headers"))
        raise Refused(400, InvalidRequest("cannot read the request: it is not HTTP/1.1 as we accept it"))
    request: RawRequestMessage = message
    headers = request.headers
    if tuple(request.version) not in _VERSIONS:
        raise Refused(400, InvalidRequest("cannot read the request: its version is neither HTTP/1.1 nor HTTP/1.0"))
    if request.upgrade or "Content-Encoding" in headers:
        raise Refused(400, InvalidRequest("cannot read the request: no upgrade and no encoding is offered"))
    if headers.get("Transfer-Encoding", "chunked").strip().lower() != "chunked":
        raise Refused(400, InvalidRequest("cannot read the body: no transfer encoding but chunked is offered"))
    if len(headers.getall("Authorization", ())) > 1:
        raise Refused(400, InvalidRequest("cannot tell who is calling: more than one Authorization header"))
    if not request.path.isascii() or "#" in request.path:
        raise Refused(400, InvalidRequest("cannot read the path: a URL is made of ASCII without a fragment"))
    return request


def ends_with(data: bytes, message: Any, payload: Any) -> bool:
    """Whether `data`, in which the complete `message` was the last to be found, ends where the message does.

    The parser does not say it. A chunked body ends as a head does, if its sender ends it in one write; where that is
    wrong, the worst is a deadline on a connection that has only begun to send its next request.
    """
    size = 0 if getattr(message, "chunked", False) else payload.total_bytes
    if size == 0:
        return data.endswith(_END_OF_HEAD)
    start = max(0, len(data) - size - len(_END_OF_HEAD))
    return _END_OF_HEAD.endswith(data[start : len(data) - size])


def bearer(authorization: str) -> Plaintext:
    """The token of an Authorization header; whatever else stands there proves nothing, as an empty token does."""
    scheme, _, token = authorization.partition(" ")
    return Plaintext(token.strip().encode("utf-8", "surrogateescape") if scheme.lower() == "bearer" else b"")
