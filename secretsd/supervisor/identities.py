"""Which uid each process runs under, and the directories that go with them."""

import contextlib
import os
import pwd
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from secretsd.settings import Settings, UserSettings

# Where the three users do not exist (`secretsd dev` on a fresh host): uids of systemd's range for dynamic users, which
# no package hands out.
DEV_UIDS = {"worker": 61701, "keystore": 61702, "rotator": 61703}


class NoSuchUser(Exception):
    """A user that the settings name does not exist."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A uid and its own group."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Identities:
    """The three users. All equal where this process may not change its uid."""

    worker: Identity
    keystore: Identity
    rotator: Identity

    @property
    def apart(self) -> bool:
        """True when each process has a uid of its own, none of them root's."""
        return len({self.worker.uid, self.keystore.uid, self.rotator.uid}) == 3 and self.worker.uid != 0


def resolve(users: UserSettings, here: Sequence[str] = ("worker", "keystore", "rotator")) -> Identities:
    """The identities that the settings name. NoSuchUser where one does not exist.

    Without root the roles that are started `here` run as who we are; the others are whom the settings name, so that a
    key store in a unit of its own lets the workers of another unit connect, and nobody else.
    """
    own = Identity(os.geteuid(), os.getegid())
    named = {"worker": users.worker, "keystore": users.keystore, "rotator": users.rotator}
    return Identities(**{role: own if own.uid != 0 and role in here else _user(name) for role, name in named.items()})


def for_dev(settings: Settings) -> UserSettings:
    """The users of `secretsd dev`: the real ones where all three exist, else numeric ones."""
    users = settings.users
    try:
        resolve(users)
    except NoSuchUser:
        return UserSettings(**{role: str(uid) for role, uid in DEV_UIDS.items()})
    return users


def _user(name: str) -> Identity:
    if name.isdecimal():
        return Identity(int(name), int(name))
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise NoSuchUser(f"cannot find user {name}: create it, or name another under users") from None
    return Identity(found.pw_uid, found.pw_gid)


def blocked_at(path: Path) -> Path | None:
    """The first directory above `path`, from the root on, that other users cannot pass through; None if they can."""
    for directory in reversed(path.absolute().parents):
        try:
            if not directory.stat().st_mode & 0o001:
                return directory
        except OSError:
            return directory
    return None


def prepare_directories(settings: Settings, identities: Identities) -> None:
    """Make state and runtime directories, each for the one who owns it; those that exist are left as they are."""
    _directory(Path(settings.state_dir), 0o711, None)
    _directory(settings.keystore_dir, 0o700, identities.keystore)
    _directory(settings.storage_dir, 0o700, identities.worker)
    prepare_escrow(settings, identities)
    _directory(Path(settings.runtime_dir), 0o711, None)


def prepare_escrow(settings: Settings, identities: Identities) -> None:
    """Make the escrow's directory, which a state directory of an earlier release lacks; it may be another unit's."""
    with contextlib.suppress(PermissionError):
        _directory(settings.escrow_dir, 0o700, identities.worker)


def write_softhsm2_configuration(directory: Path, owner: Identity) -> None:
    """SoftHSM2's own configuration and token directory below the keystore process's directory, unless they exist."""
    path = directory / "softhsm2.conf"
    if path.exists():
        return
    _directory(directory / "tokens", 0o700, owner)
    text = f"directories.tokendir = {directory / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n"
    write_private(path, text, owner)


def write_private(path: Path, text: str, owner: Identity | None) -> None:
    """A file of mode 0600, whole or not at all, on disk when this returns."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(text)
        file.flush()
        if owner is not None and os.geteuid() == 0:
            os.fchown(file.fileno(), owner.uid, owner.gid)
        os.fsync(file.fileno())
    draft.replace(path)


def _directory(path: Path, mode: int, owner: Identity | None) -> None:
    try:
        path.mkdir(parents=True)
    except FileExistsError:
        return
    if owner is not None and os.geteuid() == 0:
        os.chown(path, owner.uid, owner.gid)
    path.chmod(mode)
