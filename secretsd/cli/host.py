"""What the operator's commands on the daemon's own host have in common."""

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from secretsd.settings import BadSettings, Settings, load
from secretsd.supervisor.check import recovery_document
from secretsd.supervisor.identities import Identities, write_private
from secretsd.supervisor.initialise import make_root
from secretsd.supervisor.pin import read_pin

CONFIGURATION_FAULT = 78
Config = Annotated[Path, typer.Option("--config", help="The configuration, secretsd.yaml.")]
PinFd = Annotated[int | None, typer.Option("--pin-fd", help="Read the PIN from this descriptor.")]
AskPin = Annotated[bool, typer.Option("--ask-pin", help="Ask for the PIN.")]


def settings_of(config: Path) -> Settings:
    """The settings in a file; ends the command where they cannot be read."""
    try:
        return load(config)
    except BadSettings as error:
        end(str(error))
    except OSError as error:
        end(f"cannot read {config}: {error.strerror}")


def reserve(output: Path) -> None:
    """Make the file before there is anything to lose: what goes into it is made once and is nowhere else."""
    try:
        os.close(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        end(f"cannot write {output}: it exists already")
    except OSError as error:
        end(f"cannot write {output}: {error.strerror}")


def pin_of(settings: Settings, fd: int | None, prompt: bool) -> str:
    """The user PIN, from where the options or the settings say; NoPIN."""
    return read_pin(settings.keystore.pin_file, os.environ.get("CREDENTIALS_DIRECTORY"), fd, prompt)


FIXED_ROOT = (
    "this HSM wraps by no trusted keys, so its root is for good: it can neither be renewed (rotate-root) nor sent to "
    "another token (send-root); only its recovery wrap brings it to one"
)


def make_root_to(settings: Settings, identities: Identities, pin: str, recovery_key: Path | None, output: Path) -> str:
    """Make token and root; what only the operator may keep goes to `output`. The root's check value.

    CannotInitialise, OSError, and then there is no such file.
    """
    public_key = recovery_key.read_text() if recovery_key else None
    reserve(output)
    try:
        made = make_root(settings, identities, pin, public_key)
    except BaseException:
        output.unlink(missing_ok=True)
        raise
    write_private(output, recovery_document(made.kek_id, made.so_pin, made.recovery), None)
    if made.fixed:
        typer.echo(FIXED_ROOT)
    return made.check


def end(sentence: str) -> NoReturn:
    """End the command with the reason why."""
    typer.echo(sentence, err=True)
    sys.exit(CONFIGURATION_FAULT)
