"""Rotators of another distribution, for the tests of the rotator host: one that behaves, and some that do not."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import time
from typing import Any

import msgspec

from secretsd.adapters.frames import pack
from secretsd.domain.rotation import MachineKind
from secretsd.domain.sensitive import Plaintext
from secretsd.ports.rotator import Acceptance, Candidate, Outcome, RotationFailed

IMPORTED_IN = os.getpid()


class _Nothing:
    """What a rotator has to have."""

    machine = MachineKind.STANDALONE

    async def prepare(self, job):
        return Candidate(Plaintext(b"new"))

    async def apply(self, job, note):
        return Outcome.APPLIED

    async def settle(self, job):
        return None

    async def probe(self, job, versions):
        return {version.version_id: Acceptance.UNKNOWN for version in versions}

    async def verify(self, job):
        return None


class Noting(_Nothing):
    """Notes twice while it applies, and tells of its process.

    It can revoke as well.
    """

    name = "noting"

    class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
        target: str
        tries: int = 3
        extra: dict[str, int] = {}

    async def prepare(self, job):
        here = {
            "pid": os.getpid(),
            "imported_in": IMPORTED_IN,
            "fds": sorted(int(fd) for fd in os.listdir("/proc/self/fd") if _kind(fd)),
            "kinds": json.dumps([_kind(fd) for fd in range(4)]),
            "environ": sorted(os.environ),
            "rotators": sorted(
                name for name in sys.modules if name in ("broken_on_import", "secretsd_rotators.random")
            ),
            "core": _core(),
            "settings": msgspec.to_builtins(job.settings),
            "epoch": job.epoch,
            "current": job.current and job.current.value.reveal().decode(),
            "journal": [one.decode() for one in job.journal],
        }
        return Candidate(Plaintext(b"\x00\xff"), text=False, public={"here": json.dumps(here)}, journal=b"from prepare")

    async def apply(self, job, note):
        await note(b"one")
        await note(b"two")
        return Outcome.REJECTED

    async def probe(self, job, versions):
        return {version.version_id: Acceptance(version.value.reveal().decode()) for version in versions}

    async def revoke(self, job, version):
        return None


class Misbehaving(_Nothing):
    """Does what its settings say, in apply and in verify."""

    name = "misbehaving"

    class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
        act: str
        path: str = ""
        refuse: bool = False

        def __post_init__(self):
            if self.refuse:
                raise ValueError(f"the path {self.path} is not to my liking")

    async def apply(self, job, note):
        return await self._act(job)

    async def verify(self, job):
        await self._act(job)

    async def _act(self, job) -> Any:
        settings, value = job.settings, job.candidate.value.reveal().decode()
        if settings.act == "print":
            print(value)
            print(value, file=sys.stderr)
            logging.getLogger().warning("the value is %s", value)
            os.write(1, value.encode())
            os.write(2, value.encode())
            return Outcome.APPLIED
        if settings.act == "raise":
            raise RuntimeError(f"cannot set {value}")
        if settings.act == "refuse":
            raise RotationFailed("target-is-read-only")
        if settings.act == "refuse-at-length":
            raise RotationFailed(f"the value is {value}")
        if settings.act == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if settings.act == "exit":
            sys.exit(0)
        if settings.act == "write-junk":
            os.write(3, b"\x00\x00\x00\x05hello")
            return Outcome.APPLIED
        if settings.act == "answer-another-question":
            os.write(3, pack([{"type": "Checked", "settings": "{}"}]))
            return Outcome.APPLIED
        if settings.act == "answer-nothing":
            return None
        if settings.act in ("sleep", "block", "leave-orphans"):
            orphans = [_orphan(session) for session in (False, True)] if settings.act == "leave-orphans" else []
            _write(settings.path, [os.getpid(), *orphans])
            if settings.act == "sleep":
                await asyncio.sleep(3600)
            if settings.act == "block":
                _block()
            return Outcome.APPLIED
        raise AssertionError(settings.act)


class Forgotten(_Nothing):
    """Installed, but named nowhere in the configuration."""

    name = "forgotten"

    class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
        pass


class Misnamed(_Nothing):
    """Registered under another name than its own."""

    name = "somebody-else"

    class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
        pass


def _write(path, pids):
    with open(path, "w") as file:
        json.dump(pids, file)
    os.rename(path, path + ".done")


def _block():
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    time.sleep(3600)


def _orphan(session):
    return subprocess.Popen(["/bin/sleep", "3600"], start_new_session=session).pid


def _kind(fd):
    try:
        return os.readlink(f"/proc/self/fd/{fd}").split(":")[0]
    except FileNotFoundError:
        return ""  # the listing's own descriptor


def _core():
    import resource

    return resource.getrlimit(resource.RLIMIT_CORE)
