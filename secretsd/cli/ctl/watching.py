"""Following secrets from the command line: watch."""

import sys
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer

from secretsd.cli.ctl.output import Form, Output, printable
from secretsd.cli.ctl.reach import reach

if TYPE_CHECKING:
    from secretsd.api.watch import SecretChange
    from secretsd.client import Client


def watch(
    ctx: typer.Context,
    names: Annotated[list[str], typer.Argument(help="The secrets' names.", show_default=False)],
    count: Annotated[int | None, typer.Option(min=1, help="End after so many lines. [default: never]")] = None,
    output: Output = Form.TABLE,
) -> None:
    """Print how secrets are, and a line for every change of that, without their values, until interrupted."""

    async def follow(client: "Client") -> None:
        printed = 0
        async with aclosing(client.watch(names)) as changes:
            async for change in changes:
                sys.stdout.write(_line(change, output) + "\n")
                sys.stdout.flush()
                printed += 1
                if printed == count:
                    return

    try:
        reach(ctx).run(follow)
    except KeyboardInterrupt:
        raise typer.Exit from None


def _line(change: "SecretChange", output: Form) -> str:
    if output is Form.JSON:
        import msgspec

        return msgspec.json.encode(change).decode()
    if output is Form.RAW:
        return printable(f"{change.name} {change.version_id or ''}".rstrip())
    words = []
    if change.version_id is not None:
        words.append(f"version {change.number} ({change.version_id}) is current")
    elif not change.deleted:
        words.append("no current version")
    if change.barrier != "open":
        words.append({"hold": "reads wait for its rotation"}.get(change.barrier, f"its value is {change.barrier}"))
    if change.deleted:
        words.append("deleted")
    return printable(f"{change.name}: {', '.join(words)}")


def add_to(app: typer.Typer) -> None:
    """Add this command to the program."""
    app.command()(watch)
