"""What all commands of `secretsd hsm` share: their place in the program, their options, and how they reach the HSM."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from secretsd.cli.host import end, pin_of, settings_of
from secretsd.settings import Settings
from secretsd.supervisor.ceremony import Ceremonies
from secretsd.supervisor.identities import NoSuchUser, resolve, write_private
from secretsd.supervisor.pin import NoPIN, read_pin

MAX_FILE_BYTES = 256 * 1024
app = typer.Typer(no_args_is_help=True, help="The key ceremony: the root of all keys, made, proved, renewed, moved.")
SoPinFd = Annotated[int | None, typer.Option("--so-pin-fd", help="Read the SO PIN from this descriptor.")]
SoPinFile = Annotated[
    Path | None,
    typer.Option("--so-pin-file", help="Read the SO PIN from this file of mode 0600; else it is asked for."),
]
RecoveryPublicKey = Annotated[
    Path | None, typer.Option(help="RSA public key (PEM, 3072 bits or more) that the root is wrapped for.")
]
NoRecovery = Annotated[bool, typer.Option(help="Go without a recovery: a lost token is then lost data.")]


def ceremonies(config: Path, pin_fd: int | None, ask_pin: bool) -> Ceremonies:
    """The ceremonies of a configuration; ends the command where they cannot be held."""
    settings = settings_of(config)
    try:
        return Ceremonies(settings, resolve(settings.users), pin_of(settings, pin_fd, ask_pin))
    except (NoSuchUser, NoPIN) as error:
        end(str(error))


def so_pin_of(fd: int | None, file: Path | None) -> str:
    """The SO PIN: from a descriptor, a file, or a prompt; never from arguments or the environment."""
    source = "" if file is None else str(file)
    try:
        return read_pin(source, None, fd, prompt=file is None, what="SO PIN of the HSM token")
    except NoPIN as error:
        end(str(error))


def public_key_of(recovery_public_key: Path | None, no_recovery: bool, what: str) -> dict[str, Any]:
    """What a ceremony is told about recovery; ends the command unless there is exactly one choice."""
    if (recovery_public_key is None) == (not no_recovery):
        end(f"cannot {what}: give either --recovery-public-key FILE or --no-recovery")
    return {
        "recovery_public_key": None if recovery_public_key is None else text_of(recovery_public_key),
        "refuse_recovery": no_recovery,
    }


def text_of(path: Path) -> str:
    """A file's text; ends the command where it cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            end(f"cannot read {path}: it is too long")
        return data.decode()
    except OSError as error:
        end(f"cannot read {path}: {error.strerror}")
    except UnicodeDecodeError:
        end(f"cannot read {path}: it is not text")


def document_of(path: Path) -> dict[str, Any]:
    """A JSON object in a file; ends the command where there is none."""
    try:
        found = json.loads(text_of(path))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        end(f"cannot read {path}: it is no JSON object")
    return found


def write_document(path: Path, document: Any) -> None:
    """Write JSON into a file of mode 0600 that `reserve` made; ends the command, and tells it, where that fails."""
    try:
        write_private(path, json.dumps(document, indent=2) + "\n", None)
    except OSError as error:
        end(f"cannot write {path}: {error.strerror}")


def local(settings: Settings) -> str:
    """The socket of the daemon that is asked what storage holds."""
    return os.fspath(settings.unix.path)
