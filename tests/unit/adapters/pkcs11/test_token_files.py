"""A token's file that a login left empty comes back from its copy; a whole one is never touched."""

import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from secretsd.adapters.pkcs11 import token_files
from secretsd.adapters.pkcs11.token_files import COPY, FILE, SETTING, torn


def attributes(label: bytes = b"a token") -> bytes:
    """A file as SoftHSM2 writes it: a flag, a number and some bytes."""
    return struct.pack(">QQB QQQ QQQ", 1, 1, 0xFF, 2, 2, 7, 3, 3, len(label)) + label


@pytest.fixture
def token(tmp_path: Path) -> Path:
    place = tmp_path / "tokens" / "1f2e"
    place.mkdir(parents=True)
    (place / FILE).write_bytes(attributes())
    (tmp_path / "softhsm2.conf").write_text(f"log.level = ERROR\ndirectories.tokendir = {place.parent}\n")
    return place


def look_after(token: Path) -> None:
    token_files.mend({SETTING: str(token.parents[1] / "softhsm2.conf")}, keep=True)


@pytest.mark.parametrize(
    "left", [b"", bytes(len(attributes())), attributes()[:20], attributes()[:17], attributes()[:-1]], ids=len
)
def test_a_torn_file_comes_back(token: Path, left: bytes) -> None:
    look_after(token)
    before = (token / FILE).stat()
    (token / FILE).write_bytes(left)
    look_after(token)
    after = (token / FILE).stat()
    assert (token / FILE).read_bytes() == attributes()
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode), "whoever has it open sees it too"


def test_a_whole_file_stays_and_is_what_is_kept(token: Path) -> None:
    look_after(token)
    (token / FILE).write_bytes(attributes(b"another PIN"))
    look_after(token)
    assert (token / FILE).read_bytes() == (token / COPY).read_bytes() == attributes(b"another PIN")
    assert (token / COPY).stat().st_mode & 0o777 == 0o600


def test_a_copy_is_kept_before_a_login_only(token: Path) -> None:
    token_files.mend({SETTING: str(token.parents[1] / "softhsm2.conf")})
    assert not (token / COPY).exists()


def test_a_form_that_is_not_known_is_neither_kept_over_nor_replaced(token: Path) -> None:
    look_after(token)
    newer = struct.pack(">QQQ", 9, 9, 9)
    (token / FILE).write_bytes(newer)
    look_after(token)
    assert (token / FILE).read_bytes() == newer


def test_without_a_copy_or_with_a_torn_one_nothing_is_put_back(token: Path) -> None:
    (token / FILE).write_bytes(b"")
    look_after(token)
    assert not (token / COPY).exists()
    (token / COPY).write_bytes(attributes()[:9])
    look_after(token)
    assert (token / FILE).read_bytes() == b""


def test_other_modules_and_unreadable_settings_are_left_alone(tmp_path: Path) -> None:
    token_files.mend({})
    token_files.mend({SETTING: str(tmp_path / "nowhere")})
    (tmp_path / "softhsm2.conf").write_bytes(b"\xff\xfe directories.tokendir\n")
    token_files.mend({SETTING: str(tmp_path / "softhsm2.conf")})


WRITER = """
import fcntl, os, sys
descriptor = os.open(sys.argv[1], os.O_RDWR)
fcntl.lockf(descriptor, fcntl.LOCK_EX)
os.ftruncate(descriptor, 0)
print("empty", flush=True)
sys.stdin.readline()
os.pwrite(descriptor, bytes.fromhex(sys.argv[2]), 0)
"""
LOOKER = (
    "import sys; from secretsd.adapters.pkcs11 import token_files as t; t.mend({t.SETTING: sys.argv[1]}, keep=True)"
)


@contextmanager
def python(program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", program, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def waits_for_a_lock(pid: int) -> bool:
    return any("->" in line and f" {pid} " in line for line in Path("/proc/locks").read_text().splitlines())


def test_a_file_that_is_being_written_is_waited_for(token: Path) -> None:
    """SoftHSM2 empties the file under the lock; another process must not take that for torn."""
    look_after(token)
    later = attributes(b"written at last")
    with python(WRITER, str(token / FILE), later.hex()) as writer:
        assert writer.stdout is not None
        assert writer.stdin is not None
        assert writer.stdout.readline() == "empty\n"
        with python(LOOKER, str(token.parents[1] / "softhsm2.conf")) as looker:
            while not waits_for_a_lock(looker.pid):
                assert looker.poll() is None, "it did not wait"
            writer.stdin.write("\n")
            writer.stdin.flush()
            assert (writer.wait(20), looker.wait(20)) == (0, 0)
    assert (token / FILE).read_bytes() == (token / COPY).read_bytes() == later


def test_what_is_torn_is_told_from_what_is_unknown() -> None:
    whole = attributes()
    assert not torn(whole)
    boundaries = {17, 41, len(whole)}
    for end in range(len(whole)):
        assert torn(whole[:end]) is (end not in boundaries), end
