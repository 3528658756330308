"""An interrupt ends the wait for standard input whenever it comes, and nothing of what is read is lost or kept."""

import io
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from secretsd.cli.ctl import sources
from secretsd.cli.ctl.standard_input import standard_input
from secretsd.client.errors import ClientError

READS = """
import os
from secretsd.cli.ctl.standard_input import standard_input
frame = memoryview(bytearray(262_144))
with standard_input() as given:
    os.write(1, b"r")
    while True:
        try:
            while given.readinto(frame):
                pass
            break
        except KeyboardInterrupt:
            os.write(1, b"i")
"""


@pytest.fixture
def reading() -> Iterator[subprocess.Popen[bytes]]:
    """A process that reads a pipe for good, and says each interrupt."""
    command = [sys.executable, "-c", READS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdout is not None
        assert process.stdout.read(1) == b"r"
        yield process
        process.kill()


def test_an_interrupt_counts_whenever_it_comes(reading: subprocess.Popen[bytes]) -> None:
    """While data is on its way: where each of many reads was a wait of its own, some of these were lost."""
    assert reading.stdin is not None
    assert reading.stdout is not None
    os.set_blocking(reading.stdout.fileno(), False)
    chosen = random.Random(5)
    for number in range(200):
        data = memoryview(bytes(chosen.choice((0, 1, 70_000, 300_000))))
        while data:
            data = data[os.write(reading.stdin.fileno(), data) :]
        moment = time.perf_counter() + chosen.random() * 150e-6
        while time.perf_counter() < moment:
            pass
        reading.send_signal(signal.SIGINT)
        for _ in range(500):
            if reading.stdout.read(1):
                break
            time.sleep(0.01)
        else:
            pytest.fail(f"interrupt {number} was lost")


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Standard input of this process is a pipe; the end that is written to."""
    out, into = os.pipe()
    with open(out) as file:
        monkeypatch.setattr(sys, "stdin", file)
        yield into


def test_all_of_a_pipe_is_read_to_its_end(given: int) -> None:
    os.write(given, b"hunter2\n")
    os.close(given)
    assert sources.read("-", "value", 100) == b"hunter2\n"
    assert sources.read("-", "value", 100) == b""


def test_what_is_longer_than_wanted_is_refused_without_its_end(given: int) -> None:
    os.write(given, bytes(101))
    with pytest.raises(ClientError, match="longer than 100 bytes"):
        sources.read("-", "value", 100)
    os.close(given)


def test_a_pipe_that_does_not_wait_is_waited_for(given: int) -> None:
    os.set_blocking(sys.stdin.fileno(), False)

    def late() -> None:
        os.write(given, b"late")
        os.close(given)

    threading.Timer(0.2, late).start()
    assert sources.read("-", "value", 100) == b"late"


@pytest.mark.parametrize(("path", "data"), [("/dev/null", b""), ("/dev/zero", bytes(100))])
def test_files_and_devices_are_read_too(monkeypatch: pytest.MonkeyPatch, path: str, data: bytes) -> None:
    with open(path) as file:
        monkeypatch.setattr(sys, "stdin", file)
        with standard_input() as opened:
            assert opened.read(100) == data


def test_signals_are_woken_for_as_before_afterwards(given: int) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with standard_input():
        during = signal.set_wakeup_fd(-1)
        assert during != -1
    assert signal.set_wakeup_fd(-1) == -1
    assert len(os.listdir("/proc/self/fd")) == before
    assert not sys.stdin.closed
    os.close(given)


def test_none_at_all_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(ClientError, match="cannot read standard input: it is closed"):
        sources.read("-", "value", 100)


def test_what_stands_in_its_place_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"value")))
    assert sources.read("-", "value", 100) == b"value"
