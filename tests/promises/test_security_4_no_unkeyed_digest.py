"""SECURITY 4: nothing in the state directory is an unkeyed digest of a value, so nothing can be guessed against."""

import base64
import hashlib
import os
import zlib
from typing import Any

import pytest

from secretsd.testing.daemon import secret_path
from secretsd.testing.intruder import as_user

pytestmark = pytest.mark.integration
GUESSABLE = ["Summer2026!", "correct horse battery staple"]
ALGORITHMS = sorted(hashlib.algorithms_guaranteed)


def digests(value: bytes, further: list[bytes]):
    """Every form in which a digest of the value, alone or beside what storage knows, could have been kept."""
    texts = [value, *(part + value for part in further), *(value + part for part in further)]
    for text in texts:
        for name in ALGORITHMS:
            made: Any = hashlib.new(name, text)
            raw = made.digest(32) if name.startswith("shake") else made.digest()
            yield f"{name}", raw
            yield f"{name} in hex", raw.hex().encode()
            yield f"{name} in base64", base64.b64encode(raw).rstrip(b"=")
            yield f"{name}, its first half", raw[: max(12, len(raw) // 2)]
            yield f"{name}, its first half in hex", raw[: max(12, len(raw) // 2)].hex().encode()
        for size in (16, 20):
            yield f"blake2b of {size}", hashlib.blake2b(text, digest_size=size).digest()
        # A checksum is a digest as well; four raw bytes would be found by chance, so only its text form is looked for.
        yield "crc32 in hex", f'"{zlib.crc32(text):08x}"'.encode()


def everything(target) -> bytes:
    def read():
        found = [path for path in target.daemon.state_dir.rglob("*") if path.is_file()]
        return b"".join(path.read_bytes() for path in found if os.access(path, os.R_OK))

    return as_user(0, read) if os.geteuid() == 0 else read()


@pytest.fixture(scope="module")
def stored(target):
    """All bytes after a value was stored, stored again under its token, compared, updated and read."""
    for number, value in enumerate(GUESSABLE):
        name = f"guess/{number}"
        made = target.create(name, value, token=f"token-{number}")
        assert target.create(name, value, token=f"token-{number}") == made
        other = target.daemon.call("PUT", secret_path(name, "value"), {"text": value + "?", "token": f"token-{number}"})
        assert other.kind == "conflict"
        target.ok("PUT", secret_path(name, "value"), {"text": value, "token": f"again-{number}"})
        assert target.get(name).body["text"] == value
    secrets = target.files.read("SELECT account, id, name FROM secrets")
    further = [part.encode() for row in secrets for part in row] + [b"token-0", b"token-1"]
    return everything(target), further


@pytest.mark.parametrize("value", GUESSABLE)
def test_no_digest_of_a_value_is_stored(stored, value):
    data, further = stored
    for encoded in (value.encode(), value.encode("utf-16-le"), base64.b64encode(value.encode())):
        assert [form for form, wanted in digests(encoded, further) if wanted in data] == []


def test_the_search_finds_a_digest_that_is_there(target, stored):
    """A bearer token has 256 random bits, so its digest may be stored; the search must find that one."""
    data, _ = stored
    found = [form for form, wanted in digests(target.daemon.token.encode(), []) if wanted in data]
    assert "sha256 in hex" in found


def test_equal_values_look_different(target, stored):
    rows = target.files.read("SELECT data_key, value FROM secret_values")
    assert len({key for key, _ in rows}) == len({value for _, value in rows}) == len(rows) >= 4
