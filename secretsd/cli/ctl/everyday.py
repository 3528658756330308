"""Daily questions without a noun of their own: whoami, status, random."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from secretsd.cli.ctl.failures import FAILED, KEY_STORE_AWAY
from secretsd.cli.ctl.output import Form, Output, show_bytes, show_fields, show_json, show_lines
from secretsd.cli.ctl.reach import reach


def whoami(ctx: typer.Context, output: Output = Form.TABLE) -> None:
    """Tell who you are to the daemon, and how that was proved."""
    found = reach(ctx).run(lambda client: client.get_caller_identity())
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines([found.principal])
    else:
        fields = {"account": found.account, "principal": found.principal, "proof": found.proof}
        more = {"session": found.session_name, "uid": found.uid, "unit": found.unit}
        show_fields(fields | {name: value for name, value in more.items() if value is not None})


def status(ctx: typer.Context, output: Output = Form.TABLE) -> None:
    """Tell how the daemon is; the exit code is 5 while the key store is away, 1 while anything else is."""
    health = reach(ctx).run(lambda client: client.health())
    if output is Form.JSON:
        show_json(health.document)
    else:
        show_fields(_flat(health.document))
    if not health.serving:
        parts = health.document.get("parts")
        away = isinstance(parts, Mapping) and parts.get("keystore") != "ok"
        raise typer.Exit(KEY_STORE_AWAY if away else FAILED)


def random(
    ctx: typer.Context,
    length: Annotated[int, typer.Option(min=1, max=4096, help="How many characters.")] = 32,
    exclude: Annotated[str, typer.Option(metavar="CHARACTERS", help="Characters that must not be in it.")] = "",
    no_punctuation: Annotated[bool, typer.Option("--no-punctuation", help="Letters and digits only.")] = False,
) -> None:
    """Print a random password; it is stored nowhere."""
    made = reach(ctx).run(
        lambda client: client.get_random_password(
            length=length, exclude_characters=exclude, exclude_punctuation=no_punctuation
        )
    )
    show_bytes(made.text.reveal())


def _flat(document: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in document.items():
        found |= _flat(value, f"{before}{name}.") if isinstance(value, Mapping) else {before + name: value}
    return found


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    for command in (whoami, status, random):
        app.command()(command)
