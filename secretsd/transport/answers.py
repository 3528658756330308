"""Answers as bytes: status line, headers and body, assembled once and written at once."""

import time
from email.utils import formatdate

from secretsd.dialects.native.dialect import Reply

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class _Date:
    """The Date header's line, made anew once a second."""

    __slots__ = ("_line", "_second")

    def __init__(self) -> None:
        self._second = 0
        self._line = b""

    def line(self) -> bytes:
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._line = f"Date: {formatdate(second, usegmt=True)}\r\n".encode()
        return self._line


_date = _Date()


def answer_bytes(reply: Reply, close: bool, without_body: bool = False) -> bytes:
    """The whole answer. `without_body` is for HEAD, whose answer ends with its headers: a body would be taken for the
    next answer."""
    further = _further(reply)
    if close:
        further += "Connection: close\r\n"
    head = (
        f"HTTP/1.1 {reply.status} {reply.reason}\r\nContent-Type: {reply.content_type}\r\n"
        f"Content-Length: {len(reply.body)}\r\nCache-Control: no-store\r\n{further}"
    )
    return head.encode() + _date.line() + b"\r\n" + (b"" if without_body else reply.body)


def stream_head(reply: Reply) -> bytes:
    """What goes before a stream; that ends with the connection, which is why its length need not be told."""
    head = (
        f"HTTP/1.1 {reply.status} {reply.reason}\r\nContent-Type: {reply.content_type}\r\n"
        f"Cache-Control: no-store\r\n{_further(reply)}Connection: close\r\n"
    )
    return head.encode() + _date.line() + b"\r\n"


def _further(reply: Reply) -> str:
    further = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
    return further + f"X-Request-Id: {reply.request_id}\r\n" if reply.request_id else further
