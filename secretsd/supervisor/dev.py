"""`secretsd dev`: a state directory that makes itself, kept for the next start; loopback only."""

import base64
import os
import secrets
import sys
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from secretsd.settings import BadSettings, Settings, address, from_document, read
from secretsd.supervisor.identities import (
    Identities,
    Identity,
    blocked_at,
    for_dev,
    prepare_escrow,
    resolve,
    write_private,
)
from secretsd.supervisor.initialise import has_root, hold, invoking_uids, is_initialised, make_root, mark_initialised
from secretsd.supervisor.pin import read_pin
from secretsd.supervisor.processes import children
from secretsd.supervisor.specification import Listener, TCPListener
from secretsd.supervisor.supervisor import Supervisor


def run(state_dir: Path, listen: str, socket: Path | None) -> int:
    """Serve until told to stop; the exit status. Prints `ready` when everything serves and admin.env is written."""
    state_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
    settings = dev_settings(state_dir, listen, socket)
    hold(settings)
    identities = _identities(settings)
    pin_file = Path(settings.keystore.pin_file)
    if not pin_file.exists():
        write_private(pin_file, secrets.token_urlsafe(18) + "\n", None)
    pin = read_pin(str(pin_file), None)
    if not is_initialised(settings):
        if not has_root(settings):
            make_root(settings, identities, pin, None)  # no recovery: what is kept here is for development
        mark_initialised(settings)
    prepare_escrow(settings, identities)
    token = _known_token(state_dir) or _new_token()
    first_start = {"uids": list(invoking_uids()), "by": f"unix:uid/{os.getuid()}", "token": token}

    def serves(addresses: Mapping[Listener, str]) -> None:
        http = next((found for listener, found in addresses.items() if isinstance(listener, TCPListener)), "")
        lines = {
            "SECRETSD_ADDR": f"{'http' if settings.http.certificate is None else 'https'}://{http}",
            "SECRETSD_SOCKET": settings.unix.path,
            "SECRETSD_TOKEN": token,
        }
        write_private(_environment_file(state_dir), "".join(f"{name}={value}\n" for name, value in lines.items()), None)
        sys.stdout.write("ready\n")
        sys.stdout.flush()

    return Supervisor(children(settings, identities, pin, first_start=first_start), on_ready=serves).run()


def dev_settings(state_dir: Path, listen: str, socket: Path | None) -> Settings:
    """The settings of development; DIR/secretsd.yaml, where somebody put one, has the last word on the rest."""
    document: dict[str, Any] = {
        "state_dir": str(state_dir),
        "runtime_dir": str(state_dir / "run"),
        "keystore": {"pin_file": str(state_dir / "pin")},
        "rotation": {"rotators": ["postgresql", "random"], "min_interval_seconds": 1, "min_grace_seconds": 1},
        "token_issuers": {"plain_loopback": True},
        "limits": {"free_failed_proofs": 0},  # whoever tries things out on his own host shares an address with himself
    }
    path = state_dir / "secretsd.yaml"
    if path.exists():
        given = read(path)
        if not isinstance(given, Mapping):
            raise BadSettings([f"cannot use {path}: it is not a mapping"])
        document = _merged(document, given)
    document["unix"] = {"path": str((socket or state_dir / "secretsd.sock").absolute())}
    document["http"] = {**(document.get("http") or {}), "listen": listen}
    settings = from_document(document)
    if not ip_address(address(listen)[0]).is_loopback:
        raise BadSettings(["cannot use --listen: what is for development opens a loopback address only"])
    users = for_dev(settings)
    return from_document(
        document | {"users": {"worker": users.worker, "keystore": users.keystore, "rotator": users.rotator}}
    )


def _identities(settings: Settings) -> Identities:
    """Three uids where we may take them and they can reach what they need; else one, and we say so."""
    identities = resolve(settings.users)
    own = Identity(os.geteuid(), os.getegid())
    reason = "" if os.geteuid() == 0 else "only root may take other uids"
    for path in (Path(settings.state_dir), Path(sys.executable), Path(__file__).resolve()):
        blocked = blocked_at(path)
        if not reason and blocked is not None:
            reason = f"other users cannot pass through {blocked}"
    if reason:
        sys.stderr.write(f"secretsd dev: every process runs as uid {own.uid}, not apart as in production: {reason}\n")
        return Identities(own, own, own)
    return identities


def _environment_file(state_dir: Path) -> Path:
    return state_dir / "admin.env"


def _known_token(state_dir: Path) -> str | None:
    try:
        lines = _environment_file(state_dir).read_text().splitlines()
    except FileNotFoundError:
        return None
    return next((line.partition("=")[2] for line in lines if line.startswith("SECRETSD_TOKEN=")), None)


def _new_token() -> str:
    return "secretsd_" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged
