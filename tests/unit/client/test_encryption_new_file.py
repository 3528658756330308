"""A new file is there whole or not at all, is nobody else's to read, and takes nothing's place unless told to."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from secretsd.client import ClientError
from secretsd.client.encryption import new_file


@pytest.fixture(params=["nameless", "named"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With O_TMPFILE, and as on a file system that has no such thing."""
    if request.param == "named":
        real = os.open

        def refusing(path, flags, *more, **named):
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(errno.EOPNOTSUPP, "Operation not supported")
            return real(path, flags, *more, **named)

        monkeypatch.setattr(os, "open", refusing)
    return str(request.param)


def test_it_appears_when_it_is_complete(way, tmp_path: Path) -> None:
    path = tmp_path / "out"
    with new_file(path) as file:
        file.write(b"one")
        assert not path.exists()
        file.write(b"two")
    assert path.read_bytes() == b"onetwo"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_error_leaves_nothing(way, tmp_path: Path, overwrite) -> None:
    path = tmp_path / "out"
    if overwrite:
        path.write_bytes(b"before")

    def fail() -> None:
        with new_file(path, overwrite=overwrite) as file:
            file.write(b"partial")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [one.read_bytes() for one in tmp_path.iterdir()] == ([b"before"] if overwrite else [])


def test_what_is_there_stays(way, tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"before")
    with pytest.raises(ClientError, match=r"cannot write .*/out: it exists already"), new_file(path):
        raise AssertionError("the block must not run")
    assert path.read_bytes() == b"before"


def test_what_appears_meanwhile_stays_too(way, tmp_path: Path) -> None:
    path = tmp_path / "out"

    def write() -> None:
        with new_file(path) as file:
            file.write(b"ours")
            path.write_bytes(b"theirs")

    with pytest.raises(ClientError, match="it exists already"):
        write()
    assert path.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [path]


def test_it_takes_the_place_of_another_when_told_to(way, tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"before")
    path.chmod(0o644)
    with new_file(path, overwrite=True) as file:
        file.write(b"after")
        assert path.read_bytes() == b"before"
    assert path.read_bytes() == b"after"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_directory_or_device_is_never_replaced(way, tmp_path: Path) -> None:
    for path in (tmp_path, Path("/dev/null")):
        with pytest.raises(ClientError, match="it is no regular file"), new_file(path, overwrite=True):
            raise AssertionError("the block must not run")


def test_a_missing_directory_is_told(way, tmp_path: Path) -> None:
    with pytest.raises(ClientError, match=r"/none/out: No such file or directory"), new_file(tmp_path / "none" / "out"):
        raise AssertionError("the block must not run")


def test_a_killed_process_leaves_nothing(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom secretsd.client.encryption import new_file\n"
        "with new_file(sys.argv[1]) as file:\n"
        "    file.write(b'partial')\n    print('written', flush=True)\n    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "out")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
    assert list(tmp_path.iterdir()) == []
