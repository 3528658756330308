"""A rotator that looks at everything but its job, and tells what it could reach."""

import ctypes
import os
import resource
import socket
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import msgspec

from secretsd.domain.rotation import MachineKind
from secretsd.domain.sensitive import Plaintext
from secretsd.ports.rotator import Acceptance, Candidate, Job, Note, Outcome, StagedSecret

_PTRACE_ATTACH = 16


class Targets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where to look: files to open, Unix sockets to connect to, processes to enter."""

    files: tuple[str, ...]
    sockets: tuple[str, ...]
    processes: tuple[int, ...]


def _open(path: str) -> None:
    os.close(os.open(path, os.O_RDONLY))


class Nosy:
    """Looks around."""

    name: ClassVar[str] = "nosy"
    Settings: ClassVar[type] = Targets
    machine: ClassVar[MachineKind] = MachineKind.STANDALONE

    async def prepare(self, job: Job) -> Candidate:
        reached: list[str] = []
        wanted: Targets = job.settings

        def attempt(what: str, act: Callable[[], Any]) -> None:
            try:
                act()
            except OSError:
                return
            reached.append(what)

        for path in wanted.files:
            attempt(path, partial(_open, path))
        for path in wanted.sockets:
            attempt(path, partial(self._connect, path))
        for pid in (*wanted.processes, os.getppid()):
            for name in ("mem", "environ", "maps"):
                attempt(f"{pid} {name}", partial(_open, f"/proc/{pid}/{name}"))
            attempt(f"{pid} ptrace", partial(self._attach, pid))
        found = {
            "reached": reached,
            "descriptors": self._descriptors(),
            "environment": sorted(os.environ),
            "uids": list(os.getresuid()),
            "groups": os.getgroups(),
            "core": list(resource.getrlimit(resource.RLIMIT_CORE)),
        }
        return Candidate(Plaintext(msgspec.json.encode(found)))

    def _descriptors(self) -> list[str]:
        """What is open beside this look itself and the event loop's own."""
        kinds = []
        for fd in range(64):
            try:
                kinds.append(os.readlink(f"/proc/self/fd/{fd}"))
            except FileNotFoundError:
                continue
            except OSError:
                # Not even its own descriptors can be named, because the process is closed; then by their kind.
                try:
                    os.fstat(fd)
                except OSError:
                    continue
                kinds.append(f"descriptor {fd}")
        return kinds

    def _connect(self, path: str) -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)

    def _attach(self, pid: int) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.ptrace(_PTRACE_ATTACH, pid, 0, 0) < 0:
            raise OSError(ctypes.get_errno(), "refused")

    async def apply(self, job: Job, note: Note) -> Outcome:
        return Outcome.APPLIED

    async def settle(self, job: Job) -> None:
        return None

    async def probe(self, job: Job, versions: Sequence[StagedSecret]) -> Mapping[str, Acceptance]:
        return {version.version_id: Acceptance.UNKNOWN for version in versions}

    async def verify(self, job: Job) -> None:
        return None


class Unnamed(Nosy):
    """Installed, but named by no configuration."""

    name: ClassVar[str] = "unnamed"
