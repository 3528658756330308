"""A real systemd as PID 1 in namespaces of its own, with this checkout installed; no security boundary."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[2]
TOOLS = ("unshare", "nsenter", "pivot_root", "ip", "softhsm2-util", "/lib/systemd/systemd", "systemd-sysusers")
BOOT_SECONDS = 60.0
NAMESPACES = ("pid", "mount", "cgroup", "ipc", "uts", "net")


def missing() -> str:
    """Why there can be no box here; empty when there can."""
    tools = [tool for tool in TOOLS if shutil.which(tool) is None]
    if tools:
        return f"needs {', '.join(tools)}"
    if CHECKOUT.stat().st_mode & 0o005 != 0o005:
        return "needs a checkout that other users can read"
    return "" if _cgroup2_mounts() else "needs a cgroup2 mount"


class Box:
    """The running systemd."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def run(self, *command: str, check: bool = True, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """A command inside, as root; its output."""
        enter = ["nsenter", "-t", str(self.pid), *(f"--{name}" for name in NAMESPACES), "--root", "--wd=/"]
        done = subprocess.run([*enter, *command], capture_output=True, text=True, input=given, timeout=120)
        assert done.returncode == 0 or not check, f"{command}: {done.stdout}{done.stderr}{self.journal()}"
        return done

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", "--value", "-p", name, unit).stdout.strip()

    def journal(self) -> str:
        """What systemd and our units have said."""
        return self.run("journalctl", "--no-pager", "-q", "-n", "100", check=False).stdout


@contextmanager
def boot(directory: Path) -> Iterator[Box]:
    """A box that has come up; it is gone afterwards with everything in it."""
    group = (
        _cgroup2_mounts()[0] / f"secretsd-box-{os.getpid()}"
    )  # of its own, else two boxes would share their units' cgroups
    group.mkdir()
    arguments = ["--fork", "--kill-child=SIGKILL", "--propagation", "private"]
    command = ["unshare", *(f"--{name}" for name in NAMESPACES), *arguments, "/bin/sh", str(HERE / "boot.sh")]
    errors = directory / "boot.errors"
    mountpoint = directory / "box"
    mountpoint.mkdir()
    with errors.open("w") as told:
        process = subprocess.Popen(
            [*command, str(mountpoint), str(CHECKOUT), str(CHECKOUT / "systemd")],
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=told,
            preexec_fn=lambda: (group / "cgroup.procs").write_text(str(os.getpid())),
        )
    try:
        yield _booted(process, errors)
    finally:
        process.kill()
        process.wait()
        _remove(group)


def _booted(process: subprocess.Popen[bytes], errors: Path) -> Box:
    deadline = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, errors.read_text()
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        if children:
            box = Box(int(children[0]))
            if box.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded"):
                return box
        time.sleep(0.05)
    raise AssertionError(f"systemd did not come up: {errors.read_text()}")


def _cgroup2_mounts() -> list[Path]:
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    return [Path(place) for _, place, kind, *_ in mounts if kind == "cgroup2"]


def _remove(group: Path) -> None:
    """The cgroup and those below it, once the last process in them is gone."""
    deadline = time.monotonic() + 30
    while group.exists() and time.monotonic() < deadline:
        for path in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
            _try_to_remove(path)
        _try_to_remove(group)
        time.sleep(0.02)


def _try_to_remove(path: Path) -> None:
    try:
        path.rmdir()
    except OSError:
        return
