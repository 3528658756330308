"""From settings to the processes that the supervisor starts."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from secretsd.settings import Settings, address, as_document
from secretsd.supervisor import certificates
from secretsd.supervisor.identities import Identities, Identity
from secretsd.supervisor.specification import ChildSpec, InheritedListener, Listener, TCPListener, UnixListener

ROLES = ("keystore", "rotator", "worker")
SOFTHSM2 = "libsofthsm2.so"
_INNER = ("keystore", "keystore-slow", "rotator")


def children(
    settings: Settings,
    identities: Identities,
    pin: str | None,
    *,
    roles: Sequence[str] = ROLES,
    first_start: Mapping[str, Any] | None = None,
    inherited: Sequence[str] = (),
) -> list[ChildSpec]:
    """One specification a process. `pin` goes to the keystore process only; `inherited` names systemd's sockets."""
    specs: list[ChildSpec] = []
    if "keystore" in roles:
        specs += [_keystore(settings, identities, pin or "", inherited, lane) for lane in ("fast", "slow")]
    if "rotator" in roles:
        specs.append(_rotator(settings, identities, inherited))
    if "worker" in roles:
        before = tuple(spec.name for spec in specs)
        specs += [
            _worker(settings, identities.worker, number, before, first_start, inherited)
            for number in range(settings.workers)
        ]
    return specs


def one_shot(settings: Settings, identities: Identities, pin: str, command: str, **further: Any) -> ChildSpec:
    """The keystore process for `initialise` or `probe`."""
    document = _keystore_document(settings, identities, pin, command) | further
    return _spec("keystore", "secretsd.adapters.keystore_process", identities.keystore, document)


def worker_listeners(settings: Settings, inherited: Sequence[str] = ()) -> tuple[Listener, ...]:
    """The sockets of the API: systemd's where it hands them over, else our own."""
    ours = [name for name in inherited if name not in _INNER]
    if ours:
        return tuple(InheritedListener(name, ours[:index].count(name)) for index, name in enumerate(ours))
    listeners: list[Listener] = [UnixListener(Path(settings.unix.path), settings.unix.mode)]
    if settings.http.listen is not None:
        listeners.append(TCPListener(*address(settings.http.listen)))
    return tuple(listeners)


def _inner_listener(name: str, path: Path, identities: Identities, inherited: Sequence[str]) -> Listener:
    """The socket for the workers alone: systemd's where it hands one over by this name, else our own."""
    return InheritedListener(name) if name in inherited else UnixListener(path, 0o600, identities.worker.uid)


def _keystore(settings: Settings, identities: Identities, pin: str, inherited: Sequence[str], lane: str) -> ChildSpec:
    document = _keystore_document(settings, identities, pin, "serve") | {"lane": lane}
    slow = lane == "slow"
    name = "keystore-slow" if slow else "keystore"
    path = settings.keystore_slow_socket if slow else settings.keystore_socket
    listener = _inner_listener(name, path, identities, inherited)
    return _spec(
        name,
        "secretsd.adapters.keystore_process" + (".slow_lane" if slow else ""),
        identities.keystore,
        document,
        listeners=(listener,),
        stall_seconds=settings.keystore.slow_seconds if slow else settings.keystore.stall_seconds,
    )


def _keystore_document(settings: Settings, identities: Identities, pin: str, command: str) -> dict[str, Any]:
    environment = dict(settings.keystore.environment)
    if Path(settings.keystore.module).name == SOFTHSM2:
        environment.setdefault("SOFTHSM2_CONF", str(settings.keystore_dir / "softhsm2.conf"))
    return {
        "command": command,
        "module": settings.keystore.module,
        "token_label": settings.keystore.token_label,
        "pin": pin,
        "environment": environment,
        "data_dir": str(settings.keystore_dir),
        "allowed_uids": sorted({identities.worker.uid}),
        "max_loaded_keys": settings.keystore.max_loaded_keys,
        "rate_per_account": settings.keystore.rate_per_account,
    }


def _rotator(settings: Settings, identities: Identities, inherited: Sequence[str]) -> ChildSpec:
    document = {
        "rotators": list(settings.rotation.rotators),
        "allowed_uids": sorted({identities.worker.uid}),
        "attempt_seconds": settings.rotation.attempt_seconds,
    }
    listener = _inner_listener("rotator", settings.rotator_socket, identities, inherited)
    return _spec("rotator", "secretsd.adapters.rotator_host", identities.rotator, document, listeners=(listener,))


def _worker(
    settings: Settings,
    identity: Identity,
    number: int,
    after: tuple[str, ...],
    first_start: Mapping[str, Any] | None,
    inherited: Sequence[str],
) -> ChildSpec:
    listeners = worker_listeners(settings, inherited)
    document = {
        "settings": as_document(certificates.placed(settings, os.environ.get("CREDENTIALS_DIRECTORY"))),
        "listen_fds": list(range(4, 4 + len(listeners))),
        "first_start": first_start,
    }
    # It asks for the key store again and again, so half a second of loading can pass beside the others' start.
    return _spec(
        f"worker-{number}",
        "secretsd.app",
        identity,
        document,
        listeners=listeners,
        after=after,
        waits_itself=True,
        reloads=True,
    )


def _spec(
    name: str,
    module: str,
    identity: Identity,
    document: Mapping[str, Any],
    *,
    listeners: tuple[Listener, ...] = (),
    after: tuple[str, ...] = (),
    waits_itself: bool = False,
    reloads: bool = False,
    stall_seconds: float = 5.0,
) -> ChildSpec:
    return ChildSpec(
        name=name,
        argv=(sys.executable, "-I", "-m", module),
        uid=identity.uid,
        gid=identity.gid,
        configuration=json.dumps(document).encode(),
        listeners=listeners,
        after=after,
        waits_itself=waits_itself,
        reloads=reloads,
        stall_seconds=stall_seconds,
    )
