"""`secretsd check`: all that is wrong with configuration and host, found before it matters."""

import errno
import json
import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from secretsd.settings import Settings
from secretsd.supervisor import certificates
from secretsd.supervisor.identities import Identities, NoSuchUser, resolve
from secretsd.supervisor.initialise import is_initialised
from secretsd.supervisor.pin import NoPIN, read_pin
from secretsd.supervisor.processes import one_shot
from secretsd.supervisor.spawn import run_once

SO_PEERPIDFD = 77
"""As in transport.processes, which this does not see; a test keeps the two alike."""
UNSURE_UNITS = (
    "this kernel does not tell for sure which process is at the other end of a Unix socket (Linux 6.5 and later do): "
    "give each systemd unit that is bound a uid that no other program has, by User= or DynamicUser="
)


def notes() -> list[str]:
    """What the host lacks, so that something holds less than it would elsewhere; it serves all the same."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        try:
            handle = ours.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD)
        except OSError as error:
            return [UNSURE_UNITS] if error.errno == errno.ENOPROTOOPT else []
    os.close(handle)
    return []


def problems(
    settings: Settings,
    credentials_directory: str | None,
    pin_fd: int | None = None,
    ask_pin: bool = False,
    report: dict[str, Any] | None = None,
) -> list[str]:
    """A sentence for each problem; none when a start would succeed. `report` gets what the probe of the HSM found."""
    found: list[str] = []
    identities: Identities | None = None
    try:
        identities = resolve(settings.users)
    except NoSuchUser as error:
        found.append(str(error))
    pin = None
    try:
        pin = read_pin(settings.keystore.pin_file, credentials_directory, pin_fd, ask_pin)
    except NoPIN as error:
        found.append(str(error))
    placed = certificates.placed(settings, credentials_directory)
    found += certificates.problems(placed.http, None if identities is None else identities.worker)
    module = Path(settings.keystore.module)
    if not module.is_file():
        found.append(f"cannot use keystore.module: there is no library {module}")
    if not is_initialised(settings):
        found.append(f"cannot serve: {settings.state_dir} is not initialised; run secretsd init")
        return found
    if identities is not None:
        found += _directories(settings, identities)
        if pin is not None and module.is_file():
            probed = probe(settings, identities, pin)
            if report is not None:
                report.update(probed)
            found += [] if probed["usable"] else [f"cannot use keystore.module: {probed['reason']}"]
    return found


def _directories(settings: Settings, identities: Identities) -> list[str]:
    found = []
    owners = (
        (settings.keystore_dir, identities.keystore),
        (settings.storage_dir, identities.worker),
        (settings.escrow_dir, identities.worker),
    )
    for path, owner in owners:
        try:
            seen = path.stat()
        except OSError as error:
            found.append(f"cannot use {path}: {error.strerror}")
            continue
        if seen.st_uid != owner.uid:
            found.append(f"cannot use {path}: its owner is uid {seen.st_uid}, not {owner.uid}")
        if stat.S_IMODE(seen.st_mode) & 0o077:
            found.append(f"cannot use {path}: others may enter it; its mode should be 0700")
    return found


def probe(settings: Settings, identities: Identities, pin: str) -> dict[str, Any]:
    """What the keystore process finds module and token to be (its `Probed`); not `usable` where it says nothing."""
    status, output = run_once(one_shot(settings, identities, pin, "probe"))
    try:
        probed: dict[str, Any] = json.loads(output)
    except ValueError:
        return {"usable": False, "reason": f"the probe ended with status {status}"}
    return probed


def recovery_document(kek_id: str, so_pin: str, recovery: Mapping[str, Any] | None) -> str:
    """What the operator takes off the host."""
    return json.dumps({"kek_id": kek_id, "so_pin": so_pin, "recovery": recovery}, indent=2) + "\n"
