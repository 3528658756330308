"""A supervisor in a process of its own over tiny children, and what the children wrote of themselves."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
PATIENCE_SECONDS = 30.0


def wait_for(what: str, condition: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.02)
    return found


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie that its new parent has not reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Supervised:
    """The running supervisor, with its children's journals."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.journals = directory / "journals"
        self.journals.mkdir()
        self.journals.chmod(0o1777)
        self.program = directory / "tiny_child.py"
        shutil.copy(HERE / "tiny_child.py", self.program)
        self.program.chmod(0o644)
        self.process: subprocess.Popen[str] | None = None

    def child(self, name: str = "child", configuration: dict[str, Any] | None = None, **described: Any) -> Any:
        """The description of a child for `start`."""
        return {
            "name": name,
            "argv": ["/usr/bin/python3", "-I", "-S", str(self.program)],
            "configuration": {"journal": str(self.journals / name), **(configuration or {})},
            **described,
        }

    def start(self, *children: Any, stop_seconds: float = 10.0, **options: Any) -> None:
        plan = self.directory / "plan.json"
        plan.write_text(json.dumps({"children": children, "stop_seconds": stop_seconds}))
        command = [sys.executable, str(HERE / "drive.py"), str(plan)]
        wrap = options.pop("wrap", [])
        with (self.directory / "errors").open("w") as errors:
            self.process = subprocess.Popen(
                [*wrap, *command], stdout=subprocess.PIPE, stderr=errors, text=True, **options
            )

    @property
    def running(self) -> subprocess.Popen[str]:
        assert self.process is not None
        return self.process

    def ready(self) -> dict[str, str]:
        """Waits until all children serve; the addresses."""
        assert self.running.stdout is not None
        assert select.select([self.running.stdout], [], [], PATIENCE_SECONDS)[0], self.errors()
        line = self.running.stdout.readline()
        assert line.startswith("ready "), self.errors()
        return json.loads(line.removeprefix("ready "))

    def starts(self, name: str = "child") -> list[dict[str, Any]]:
        journal = self.journals / name
        lines = journal.read_text().splitlines(keepends=True) if journal.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def started(self, times: int, name: str = "child") -> dict[str, Any]:
        """Waits for the n-th start of a child; what that one wrote."""
        return wait_for(f"start {times} of {name}", lambda: self.starts(name)[times - 1 : times])[0]

    def ended(self, name: str = "child") -> list[float]:
        journal = self.journals / f"{name}.ended"
        return [float(line) for line in journal.read_text().splitlines()] if journal.exists() else []

    def errors(self) -> str:
        return (self.directory / "errors").read_text()

    def said(self, words: str) -> None:
        wait_for(f"{words!r} among what the supervisor says", lambda: words in self.errors())

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Signals the supervisor and waits for its end; its exit status."""
        self.running.send_signal(number)
        return self.running.wait(PATIENCE_SECONDS)


@pytest.fixture
def supervised(passable_path: Path) -> Iterator[Supervised]:
    running = Supervised(passable_path)
    yield running
    if running.process is not None:
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait()
        assert running.process.stdout is not None
        running.process.stdout.close()
    for journal in running.journals.iterdir():
        for start in running.starts(journal.name) if journal.suffix != ".ended" else ():
            if is_alive(start["pid"]):
                os.kill(start["pid"], signal.SIGKILL)


@pytest.fixture(name="wait_for")
def _wait_for() -> Callable[..., Any]:
    return wait_for


@pytest.fixture(name="is_alive")
def _is_alive() -> Callable[[int], bool]:
    return is_alive
