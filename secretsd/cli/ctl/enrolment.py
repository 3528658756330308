"""Enrolment: a new host turns a token for one use into one of its own."""

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from secretsd.cli.ctl.key_arguments import examples
from secretsd.cli.ctl.output import moment, show_lines
from secretsd.cli.ctl.reach import reach
from secretsd.domain.errors import InvalidRequest

if TYPE_CHECKING:
    from secretsd.api.fields import TextValue


def enrol(
    ctx: typer.Context,
    to: Annotated[Path, typer.Option(help="A new file for the token, of mode 0600.", show_default=False)],
) -> None:
    """Turn an enrolment token, given as any token is, into a token of this host's own, and write that to a file."""
    # First of all, because the enrolment token ends with its use.
    descriptor = _reserved(to)
    try:
        made = reach(ctx).run(lambda client: client.enrol_host())
        _write(descriptor, made.token)
    except BaseException:
        with contextlib.suppress(OSError):
            to.unlink()
        raise
    finally:
        os.close(descriptor)
    show_lines([f"{to}: user {made.user} of account {made.account}, until {moment(made.expires_ms)}"])


def _reserved(to: Path) -> int:
    try:
        return os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise InvalidRequest(f"cannot write {to}: {error.strerror}") from None


def _write(descriptor: int, token: "TextValue") -> None:
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(token.reveal() + b"\n")
        file.flush()
        os.fsync(descriptor)


def add_to(app: typer.Typer) -> None:
    """Add this command to the program."""
    app.command(epilog=examples("SECRETSD_TOKEN=$(cat enrolment.token) secretsctl enrol --to /etc/shop/token"))(enrol)
