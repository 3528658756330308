"""The certificate of TLS as the supervisor sees it: where its files are, and whether workers could serve with them."""

import os
import ssl
import stat
from dataclasses import replace
from pathlib import Path

from secretsd.settings import CREDENTIAL, HTTPSettings, Settings
from secretsd.supervisor.identities import Identity


def placed(settings: Settings, credentials_directory: str | None) -> Settings:
    """The settings with paths in the place of credentials, whose directory workers are not told otherwise."""
    http = settings.http
    certificate = _placed(http.certificate, credentials_directory)
    return replace(
        settings,
        http=replace(http, certificate=certificate, private_key=_placed(http.private_key, credentials_directory)),
    )


def problems(http: HTTPSettings, worker: Identity | None) -> list[str]:
    """A sentence for each problem of files that are placed; `worker` is who has to read them, None for unknown."""
    found = []
    for name, place in (("certificate", http.certificate), ("private_key", http.private_key)):
        if place is None:
            return []
        if place.startswith(CREDENTIAL):
            found.append(f"cannot use http.{name}: systemd handed over no credential {place.removeprefix(CREDENTIAL)}")
        elif worker is not None and not _may_read(Path(place), worker):
            found.append(f"cannot use http.{name}: uid {worker.uid} of the workers cannot read {place}")
    if not found and http.certificate is not None and http.private_key is not None:
        found += _unusable(http.certificate, http.private_key)
    return found


def _placed(place: str | None, directory: str | None) -> str | None:
    if place is None or directory is None or not place.startswith(CREDENTIAL):
        return place
    name = place.removeprefix(CREDENTIAL)
    return place if "/" in name or not name else str(Path(directory, name))


def _may_read(path: Path, who: Identity) -> bool:
    """By owner, group and others of the file; directories on the way and lists of rights are not looked at."""
    try:
        found = path.stat()
    except OSError:
        return False
    if who.uid in (0, found.st_uid):
        return who.uid == 0 or bool(found.st_mode & stat.S_IRUSR)
    if found.st_gid == who.gid or (os.geteuid() == who.uid and found.st_gid in os.getgroups()):
        return bool(found.st_mode & stat.S_IRGRP)
    return bool(found.st_mode & stat.S_IROTH)


def _unusable(certificate: str, private_key: str) -> list[str]:
    try:
        if os.stat(private_key).st_mode & 0o007:
            return [f"cannot use http.private_key: everybody may read {private_key}; chmod o= it"]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, private_key, password=_no_password)
    except ssl.SSLError:
        return ["cannot use http.certificate with http.private_key: not in PEM, or they do not belong together"]
    except OSError as error:
        return [f"cannot read the files of http.certificate and http.private_key: {error.strerror}"]
    except _Encrypted:
        return ["cannot use http.private_key: it is encrypted"]
    return []


class _Encrypted(Exception):
    """Nobody is there to tell the password to."""


def _no_password() -> str:
    raise _Encrypted
