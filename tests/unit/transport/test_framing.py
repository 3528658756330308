"""Where a request ends, by the bytes that the parser does not tell about."""

import base64
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong
from aiohttp.web_protocol import _ErrInfo

from secretsd.domain.credentials import KeyPair
from secretsd.domain.sensitive import Plaintext
from secretsd.transport.framing import Refused, ends_with, parsed, shown
from secretsd.transport.limits import Limits


def message(*, chunked: bool = False) -> Any:
    return SimpleNamespace(chunked=chunked)


def body(size: int) -> Any:
    return SimpleNamespace(total_bytes=size)


@pytest.mark.parametrize(
    ("data", "size", "chunked", "whole"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 0, False, True),
        (b"GET / HTTP/1.1\r\n\r\nG", 0, False, False),
        (b"GET / HTTP/1.1\r\n\r\n\r", 0, False, False),
        (b"...\r\n\r\nbody", 4, False, True),
        (b"...\r\n\r\nbodyG", 4, False, False),
        (b"\n\r\nbody", 4, False, True),  # the head began in the piece before
        (b"body", 4, False, True),
        (b"...\r\n\r\n4\r\nbody\r\n0\r\n\r\n", 4, True, True),
        (b"...\r\n\r\n4\r\nbody\r\n0\r\n\r\nGET", 4, True, False),
    ],
)
def test_ends_with(data: bytes, size: int, chunked: bool, whole: bool) -> None:
    assert ends_with(data, message(chunked=chunked), body(size)) is whole


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (LineTooLong(b"Zq7Xe", 8190), 431),
        (BadHttpMessage("Too many headers received"), 431),
        (BadHttpMessage("Zq7Xe"), 400),
        (ValueError("Zq7Xe"), 400),
    ],
)
def test_what_the_parser_says_is_not_repeated(error: Exception, status: int) -> None:
    info = _ErrInfo(status=400, exc=error, message=getattr(error, "message", str(error)))
    with pytest.raises(Refused) as caught:
        parsed(info, Limits())
    assert caught.value.status == status
    assert caught.value.error.message.startswith("cannot ")
    assert "Zq7Xe" not in caught.value.error.message


def basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        ("Bearer abc", Plaintext(b"abc")),
        ("bearer  abc ", Plaintext(b"abc")),
        ("Digest abc", Plaintext(b"")),
        ("", Plaintext(b"")),
        (basic("AKSD1:s-e_c"), KeyPair("AKSD1", Plaintext(b"s-e_c"))),
        (basic("AKSD1:s-e_c").replace("Basic", "bAsIc "), KeyPair("AKSD1", Plaintext(b"s-e_c"))),
        (basic("AKSD1:a:b"), KeyPair("AKSD1", Plaintext(b"a:b"))),
        (basic("AKSD1:"), KeyPair("AKSD1", Plaintext(b""))),
        (basic("AK%53D1:a%2Bb+c"), KeyPair("AKSD1", Plaintext(b"a+b c"))),
        (basic("no colon"), Plaintext(b"")),
        (basic("AKSD1:\u00fc"), Plaintext(b"")),
        ("Basic QUtTRDE6eA", Plaintext(b"")),
        ("Basic QUtTRDE6!eA==", Plaintext(b"")),
        ("Basic *", Plaintext(b"")),
        ("Basic", Plaintext(b"")),
        ("Basic \udcff", Plaintext(b"")),
    ],
)
def test_what_an_authorization_header_shows(authorization: str, expected: Plaintext | KeyPair) -> None:
    assert shown(authorization) == expected
