"""The first start of a state directory: token and root in the HSM, first account and administrator in the storage."""

import errno
import fcntl
import json
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secretsd.settings import Settings
from secretsd.supervisor.identities import Identities, prepare_directories, write_softhsm2_configuration
from secretsd.supervisor.processes import SOFTHSM2, children, one_shot
from secretsd.supervisor.spawn import run_once
from secretsd.supervisor.supervisor import Supervisor

MARK = "initialised"
ROOT_MARK = "root-made"


class CannotInitialise(Exception):
    """The state directory cannot be initialised; the child that found out has told why on standard error."""


@dataclass(frozen=True, slots=True)
class Initialised:
    """What came of it. `so_pin` and `recovery` are nowhere else. A `fixed` root cannot be renewed."""

    kek_id: str
    so_pin: str
    recovery: Mapping[str, Any] | None
    check: str
    fixed: bool


def hold(settings: Settings) -> int | None:
    """Hold the state directory for this process, so that no second daemon starts on it; the lock's descriptor.

    None where the directory is not ours to write in: then it belongs to several units, and systemd starts each once.
    """
    try:
        fd = os.open(Path(settings.state_dir, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):  # EROFS: a unit's ProtectSystem= says it first
            return None
        raise
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise CannotInitialise(f"cannot start: another daemon runs on {settings.state_dir}") from None
    return fd


def is_initialised(settings: Settings) -> bool:
    """True once the root was made here."""
    return Path(settings.state_dir, MARK).exists()


def has_root(settings: Settings) -> bool:
    """True once there is a root here, made by whatever command, though perhaps no account yet."""
    return is_initialised(settings) or Path(settings.state_dir, ROOT_MARK).exists()


def make_root(settings: Settings, identities: Identities, pin: str, recovery_public_key: str | None) -> Initialised:
    """Make token and root keys. Without a recovery key this is the operator's explicit refusal of one."""
    if has_root(settings):
        raise CannotInitialise(f"cannot initialise {settings.state_dir}: it is initialised already")
    prepare_directories(settings, identities)
    if Path(settings.keystore.module).name == SOFTHSM2 and "SOFTHSM2_CONF" not in settings.keystore.environment:
        write_softhsm2_configuration(settings.keystore_dir, identities.keystore)
    further: dict[str, Any] = {"recovery_public_key": recovery_public_key, "refuse_recovery": not recovery_public_key}
    status, output = run_once(one_shot(settings, identities, pin, "initialise", **further))
    if status != 0:
        raise CannotInitialise("cannot initialise the HSM token; the keystore process says why above")
    made = json.loads(output)
    Path(settings.state_dir, ROOT_MARK).touch(mode=0o644)
    return Initialised(made["kek_id"], made["so_pin"], made["recovery"], made["check"], made["fixed"])


def mark_initialised(settings: Settings) -> None:
    """From now on it can be served."""
    Path(settings.state_dir, MARK).touch(mode=0o644)


def make_first_account(settings: Settings, identities: Identities, pin: str, uids: tuple[int, ...], by: str) -> None:
    """Run the processes just long enough for a worker to make the first account and its administrator."""
    first_start = {"uids": list(uids), "by": by}
    specs = children(settings, identities, pin, first_start=first_start)
    supervisor = Supervisor(specs, on_ready=lambda _: os.kill(os.getpid(), signal.SIGTERM), environment={})
    if supervisor.run() != 0:
        raise CannotInitialise("cannot make the first account; the worker says why above")


def invoking_uids() -> tuple[int, ...]:
    """Who runs this: the real uid and, behind sudo, the uid that sudo tells of."""
    found = {os.getuid()}
    behind = os.environ.get("SUDO_UID", "")
    if os.getuid() == 0 and behind.isdecimal():
        found.add(int(behind))
    return tuple(sorted(found))
