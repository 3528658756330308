"""How a value says username and password: as JSON in the form that AWS's clients know, or as a password alone."""

import secrets
from dataclasses import dataclass
from typing import Any

import msgspec

from secretsd.domain.sensitive import Plaintext
from secretsd.ports.rotator import Job, RotationFailed, StagedSecret
from secretsd_rotators.postgresql.settings import PostgreSQLAddress, PostgreSQLSettings


@dataclass(frozen=True, slots=True)
class Credential:
    """A login with its password."""

    login: str
    password: Plaintext


def credential(job: Job, version: StagedSecret) -> Credential:
    """Who a version lets in; a value that is no JSON object is the password of the first login.

    RotationFailed where it names nobody, or somebody else than the rotation's logins: an account puts its values
    itself, and must not be able to try passwords of others through us.
    """
    document = _document(version.value)
    if document is None:
        return Credential(job.logins[0], _usable(version.value))
    login, password = document.get("username"), document.get("password")
    if not isinstance(login, str) or not isinstance(password, str):
        raise RotationFailed("value-unreadable", "it is a JSON object without username and password")
    if login not in job.logins:
        raise RotationFailed("another-login", "the value names a login that is not the rotation's")
    return Credential(login, _usable(Plaintext.from_text(password)))


def _usable(password: Plaintext) -> Plaintext:
    """The password, or RotationFailed where no login could ever be made with it."""
    revealed = password.reveal()
    try:
        revealed.decode()
    except UnicodeDecodeError:
        raise RotationFailed("value-unreadable", "it is not text") from None
    if not revealed or b"\0" in revealed:
        raise RotationFailed("value-unreadable", "the password is empty or holds a NUL")
    return password


def login_of(job: Job, version: StagedSecret | None) -> str | None:
    """The login that a version is for; None where there is no version, or none that is for one of ours."""
    try:
        return None if version is None else credential(job, version).login
    except RotationFailed:
        return None


def next_login(job: Job) -> str:
    """The login that the candidate is for: with two, the one that the current version is not."""
    if len(job.logins) == 1:
        return job.logins[0]
    first, second = job.logins
    return second if login_of(job, job.current) == first else first


def new_password(settings: PostgreSQLSettings) -> Plaintext:
    """A fresh password from the operating system's generator."""
    return Plaintext.from_text("".join(secrets.choice(settings.alphabet) for _ in range(settings.length)))


def new_value(job: Job, address: PostgreSQLAddress, login: str, password: Plaintext) -> Plaintext:
    """The candidate's value. What else the current value holds is kept, for an application may have put it there."""
    settings: PostgreSQLSettings = job.settings
    if settings.format == "password":
        return password
    document = dict((job.current and _document(job.current.value)) or {})
    document |= {"engine": "postgres", "host": address.host, "port": address.port, "dbname": address.database}
    document |= {"username": login, "password": password.reveal().decode()}
    return Plaintext(msgspec.json.encode(document))


def _document(value: Plaintext) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(value.reveal())
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found if isinstance(found, dict) else None
