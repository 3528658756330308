"""Where the PIN comes from: a 0600 file, a systemd credential, a descriptor or a prompt; never argv or environment."""

import getpass
import os
import stat
from pathlib import Path

MAX_PIN_BYTES = 255
CREDENTIAL = "credential:"


class NoPIN(Exception):
    """There is no usable PIN; the sentence says where it was looked for."""


def read_pin(
    source: str,
    credentials_directory: str | None,
    fd: int | None = None,
    prompt: bool = False,
    what: str = "PIN of the HSM token",
) -> str:
    """The PIN, without its final line break. A descriptor wins over a prompt, a prompt over the configured source."""
    if fd is not None:
        return _checked(_read(fd), "the descriptor")
    if prompt:
        return _checked(getpass.getpass(f"{what}: ").encode(), "the prompt")
    if source.startswith(CREDENTIAL):
        name = source.removeprefix(CREDENTIAL)
        if credentials_directory is None or "/" in name:
            raise NoPIN(
                f"cannot read the PIN: systemd handed over no credential {name}; add --ask-pin or set keystore.pin_file"
            )
        return _checked(_of_file(Path(credentials_directory, name), private=False), f"credential {name}")
    return _checked(_of_file(Path(source), private=True), source)


def _of_file(path: Path, *, private: bool) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise NoPIN(f"cannot read the PIN from {path}: {error.strerror}") from None
    try:
        found = os.fstat(fd)
        if private and (not stat.S_ISREG(found.st_mode) or found.st_mode & 0o077):
            raise NoPIN(f"cannot read the PIN from {path}: it is not a file of mode 0600 or less")
        return _read(fd)
    finally:
        os.close(fd)


def _read(fd: int) -> bytes:
    found = b""
    while len(found) <= MAX_PIN_BYTES + 1 and (part := os.read(fd, 1024)):
        found += part
    return found


def _checked(found: bytes, where: str) -> str:
    pin = found.removesuffix(b"\n")
    try:
        text = pin.decode()
    except UnicodeDecodeError:
        raise NoPIN(f"cannot use the PIN from {where}: it is not UTF-8") from None
    if not 4 <= len(pin) <= MAX_PIN_BYTES or "\n" in text or "\0" in text:
        raise NoPIN(f"cannot use the PIN from {where}: it is one line of 4 to {MAX_PIN_BYTES} bytes")
    return text
