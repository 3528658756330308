"""CMKs: create, list, describe. Their material stays in the HSM."""

from typing import TYPE_CHECKING, Annotated

import typer

from secretsd.cli.ctl.output import Form, Output, described, moment, show_fields, show_json, show_lines, show_table
from secretsd.cli.ctl.reach import reach

if TYPE_CHECKING:
    from secretsd.api.keys import KeyDescription
    from secretsd.client import Client


def create(
    ctx: typer.Context,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    output: Output = Form.TABLE,
) -> None:
    """Make a CMK in the HSM."""
    _show(reach(ctx).run(lambda client: client.create_key(description=description)), output)


def describe(
    ctx: typer.Context,
    key: Annotated[str, typer.Argument(help="The key's id.", show_default=False)],
    output: Output = Form.TABLE,
) -> None:
    """Tell all about a CMK but its material."""
    _show(reach(ctx).run(lambda client: client.describe_key(key)), output)


def list_keys(ctx: typer.Context, output: Output = Form.TABLE) -> None:
    """List the CMKs of the account."""
    from secretsd.api.keys import ListKeysRequest, ListKeysResponse

    async def collect(client: "Client") -> "list[KeyDescription]":
        pages = client.pages("ListKeys", ListKeysRequest(), ListKeysResponse)
        return [key async for page in pages for key in page.keys]

    found = reach(ctx).run(collect)
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(key.id for key in found)
    else:
        show_table(
            ("key", "state", "spec", "version", "created", "description"),
            ((k.id, k.state, k.spec, str(k.current_version), moment(k.created_ms), k.description) for k in found),
        )


def _show(key: "KeyDescription", output: Form) -> None:
    if output is Form.JSON:
        show_json(key)
    elif output is Form.RAW:
        show_lines([key.id])
    else:
        show_fields(described(key))


def add_to(app: typer.Typer) -> None:
    """Add this group to the program."""
    group = typer.Typer(no_args_is_help=True, help="Customer master keys (CMKs).")
    group.command()(create)
    group.command("list")(list_keys)
    group.command()(describe)
    app.add_typer(group, name="key")
