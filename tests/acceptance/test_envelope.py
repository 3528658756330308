"""Envelope encryption against a real daemon, read as a manual: files by the command, messages by programs."""

import os
import pty
import random
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from secretsd.client.sync import SyncClient
from secretsd.testing.daemon import Daemon
from tests.acceptance.envelope_commands import COMMAND, Ctl, client, ctl, daemon, environment, key

__all__ = ["client", "ctl", "daemon", "key"]
pytestmark = pytest.mark.acceptance
BIG = bytes(range(256)) * 4096 * 3 + b"the end"  # 3 MiB and a little: thirteen frames


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big"
    path.write_bytes(BIG)
    return path


def test_a_file_is_encrypted_and_comes_back(ctl: Ctl, key: str, big: Path, tmp_path: Path) -> None:
    sealed, opened = tmp_path / "big.enc", tmp_path / "again"
    context = ("--context", "table=orders", "--context", "note=a=b")
    done = ctl("encrypt", str(big), "--key", key, *context, "-o", str(sealed))
    assert (done.code, done.out, done.err) == (0, b"", "")
    assert len(BIG) < len(sealed.read_bytes()) < len(BIG) + 1000
    assert b"the end" not in sealed.read_bytes()
    assert ctl("decrypt", str(sealed), *context, "-o", str(opened)).code == 0
    assert opened.read_bytes() == BIG
    assert opened.stat().st_mode & 0o777 == 0o600


def test_standard_input_and_output_make_a_pipe(ctl: Ctl, key: str) -> None:
    for data in (b"", b"hunter2\n", BIG):
        message = ctl("encrypt", "-", "--key", key, stdin=data)
        assert message.code == 0, message.err
        assert ctl("decrypt", "-", stdin=message.out).out == data


def test_what_is_there_is_kept(ctl: Ctl, key: str, big: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_bytes(b"before")
    refused = ctl("encrypt", str(big), "--key", key, "-o", str(there))
    assert refused.code == 1
    assert f"cannot write {there}: it exists already" in refused.err
    assert there.read_bytes() == b"before"
    assert ctl("encrypt", str(big), "--key", key, "-o", str(there), "--overwrite").code == 0
    assert ctl("decrypt", str(there)).out == BIG


def damaged(message: bytes) -> Iterator[tuple[str, bytes]]:
    """Every kind of damage that a file can have."""
    each, start = 256 * 1024 + 32, len(message) - (12 * (256 * 1024 + 32) + 7 + 40)
    head, frames, last = message[:start], message[start : start + 12 * each], message[start + 12 * each :]
    one, two, rest = frames[:each], frames[each : 2 * each], frames[2 * each :]
    yield "nothing", b""
    yield "half a header", message[: start // 2]
    yield "truncated", message[:-1]
    yield "truncated at a frame", head + one + two
    yield "reordered", head + two + one + rest + last
    yield "duplicated", head + one + one + two + rest + last
    yield "left out", head + two + rest + last
    yield "last only", head + last
    yield "changed in the header", message[:40] + bytes([message[40] ^ 1]) + message[41:]
    yield "changed at the end", message[:-20] + bytes([message[-20] ^ 1]) + message[-19:]
    yield "followed by more", message + b"x"


def test_a_damaged_file_gives_one_clear_error_and_no_file(ctl: Ctl, key: str, big: Path, tmp_path: Path) -> None:
    message = ctl("encrypt", str(big), "--key", key).out
    sealed, folder = tmp_path / "sealed", tmp_path / "out"
    folder.mkdir()
    for what, bad in damaged(message):
        sealed.write_bytes(bad)
        done = ctl("decrypt", str(sealed), "-o", str(folder / "plain"))
        assert (what, done.code, done.out) == (what, 1, b"")
        assert done.err.startswith("secretsctl: cannot open the "), done.err
        assert done.err.count("cannot") == 1
        assert list(folder.iterdir()) == [], what
    sealed.write_bytes(message)
    assert ctl("decrypt", str(sealed), "-o", str(folder / "plain")).code == 0


def test_another_context_or_key_opens_nothing(ctl: Ctl, key: str, tmp_path: Path, client: SyncClient) -> None:
    sealed = tmp_path / "sealed"
    assert ctl("encrypt", "-", "--key", key, "--context", "a=b", "-o", str(sealed), stdin=b"canary-text").code == 0
    for context in ((), ("--context", "a=c"), ("--context", "a=b", "--context", "c=d")):
        done = ctl("decrypt", str(sealed), *context)
        assert (done.code, done.out) == (1, b"")
        assert "its encryption context is another one" in done.err
    other = client.run(lambda c: c.create_key()).id
    done = ctl("decrypt", str(sealed), "--context", "a=b", "--key", other)
    assert (done.code, done.out) == (1, b"")
    assert "under a key that is not accepted here" in done.err
    assert ctl("decrypt", str(sealed), "--context", "a=b", "--key", other, "--key", key).out == b"canary-text"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--context", "novalue"), "its pairs are written NAME=VALUE"),
        (("--context", "a=1", "--context", "a=2"), "a is given twice"),
        (("--context", "aws-crypto-x=1"), "are reserved"),
        (("-o", "/none/such/out"), "cannot write /none/such/out: No such file or directory"),
        (("-o", "/dev/full", "--overwrite"), "cannot write /dev/full: it is no regular file"),
    ],
)
def test_what_cannot_be_is_said(ctl: Ctl, key: str, arguments: tuple[str, ...], text: str) -> None:
    done = ctl("encrypt", "-", "--key", key, *arguments, stdin=b"x")
    assert (done.code, done.out) == (1, b"")
    assert text in done.err


def test_a_missing_file_and_a_missing_key_are_told_apart(ctl: Ctl, key: str, tmp_path: Path, big: Path) -> None:
    missing = ctl("encrypt", str(tmp_path / "none"), "--key", key)
    assert missing.code == 1
    assert "none: No such file or directory" in missing.err
    no_key = ctl("encrypt", str(big), "--key", "alias/none", "-o", str(tmp_path / "out"))
    assert no_key.code in (3, 4)
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_told(ctl: Ctl, key: str, big: Path, daemon: Daemon) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [COMMAND, "encrypt", str(big), "--key", key], stdout=full, stderr=subprocess.PIPE, env=environment(daemon)
        )
    assert done.returncode == 1
    assert b"No space left on device" in done.stderr


def test_an_interrupted_command_leaves_nothing(key: str, tmp_path: Path, daemon: Daemon) -> None:
    """It has written frames, and waits for more on a pipe that stays open."""
    folder = tmp_path / "out"
    folder.mkdir()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        command = [COMMAND, "encrypt", "-", "--key", key, "-o", str(folder / "sealed")]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(daemon)
        ) as process:
            assert process.stdin is not None
            process.stdin.write(BIG)  # more than a pipe holds: it returns once most of it was read
            process.stdin.flush()
            process.send_signal(number)
            assert process.wait(30) != 0
        assert list(folder.iterdir()) == []


def test_an_interrupt_ends_a_command_that_reads_whenever_it_comes(key: str, tmp_path: Path, daemon: Daemon) -> None:
    """While data is on its way to it or was read, and the pipe stays open: more than the pipe holds has been taken."""
    folder, chosen = tmp_path / "out", random.Random(7)
    folder.mkdir()
    for number in range(12):
        command = [COMMAND, "encrypt", "-", "--key", key, "-o", str(folder / "sealed")]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(daemon), bufsize=0
        ) as process:
            assert process.stdin is not None
            process.stdin.write(BIG[: chosen.choice((300_000, 900_000, len(BIG)))])
            time.sleep(chosen.random() * (0.001, 0.05, 1.0)[number % 3])
            process.send_signal(signal.SIGINT)
            assert process.wait(20) != 0
        assert list(folder.iterdir()) == []


def test_a_terminal_gets_a_progress_bar_and_a_pipe_does_not(
    ctl: Ctl, key: str, big: Path, tmp_path: Path, daemon: Daemon
) -> None:
    leader, follower = pty.openpty()
    command = [COMMAND, "encrypt", str(big), "--key", key, "-o", str(tmp_path / "sealed")]
    done = subprocess.run(command, stderr=follower, env={**environment(daemon), "TERM": "xterm"})
    os.close(follower)
    assert done.returncode == 0
    assert b"encrypting" in os.read(leader, 65536)
    os.close(leader)
    assert ctl("decrypt", str(tmp_path / "sealed"), "-o", str(tmp_path / "plain")).err == ""


def test_a_message_does_not_go_to_a_terminal(key: str, big: Path, daemon: Daemon) -> None:
    leader, follower = pty.openpty()
    done = subprocess.run(
        [COMMAND, "encrypt", str(big), "--key", key], stdout=follower, stderr=subprocess.PIPE, env=environment(daemon)
    )
    os.close(follower)
    os.close(leader)
    assert done.returncode == 1
    assert b"cannot write the message to a terminal" in done.stderr


def test_the_guide_works_in_the_order_written(daemon: Daemon, tmp_path: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "envelope-encryption.md").read_text()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    blocks = re.findall(r"```(sh|python)\n(.*?)```", guide, re.DOTALL)
    assert [language for language, _ in blocks].count("sh") == 3
    for language, text in blocks:
        if language == "python":
            text = "import asyncio\nasync def main():\n" + textwrap.indent(text, "    ") + "asyncio.run(main())\n"
        command = ["bash", "-euo", "pipefail", "-c"] if language == "sh" else [sys.executable, "-W", "error", "-c"]
        done = subprocess.run(
            [*command, text], cwd=tmp_path, capture_output=True, env={**environment(daemon), "PATH": path}
        )
        assert (done.returncode, done.stderr) == (0, b""), text
    assert (tmp_path / "dump.sql.opened").read_bytes() == (tmp_path / "dump.sql").read_bytes()
