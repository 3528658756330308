"""Aliases, the second names of CMKs: create, move, delete, ls."""

from typing import TYPE_CHECKING, Annotated

import typer

from secretsd.cli.ctl.key_arguments import Key, examples, show_answer
from secretsd.cli.ctl.output import Form, Output, moment, show_json, show_lines, show_table
from secretsd.cli.ctl.reach import reach

if TYPE_CHECKING:
    from secretsd.api.aliases import AliasDescription
    from secretsd.client import Client


def _name(text: str) -> str:
    """The name alone: `alias/` before it, as where a key is named, is no part of it."""
    return text.removeprefix("alias/")


Name = Annotated[
    str, typer.Argument(parser=_name, metavar="NAME", help="The alias, such as prod-db.", show_default=False)
]


def create(ctx: typer.Context, alias: Name, key: Key, output: Output = Form.TABLE) -> None:
    """Give a CMK a second name."""
    made = reach(ctx).run(lambda client: client.create_alias(alias=alias, key=key))
    show_answer(made, output, f"alias/{made.alias}")


def move(ctx: typer.Context, alias: Name, key: Key, output: Output = Form.TABLE) -> None:
    """Let an alias lead to another CMK of the same spec and usage. Callers that name the alias use that one at once."""
    moved = reach(ctx).run(lambda client: client.update_alias(alias, key=key))
    show_answer(moved, output, moved.key_id)


def delete(ctx: typer.Context, alias: Name) -> None:
    """Take a second name away; its CMK stays as it is."""
    gone = reach(ctx).run(lambda client: client.delete_alias(alias))
    show_lines([f"alias/{gone.alias}: leads to key {gone.key_id} no more"])


def ls(
    ctx: typer.Context,
    key: Annotated[str | None, typer.Option(help="Those of this CMK alone.")] = None,
    output: Output = Form.TABLE,
) -> None:
    """List the aliases of the account, or of one CMK."""
    from secretsd.api.aliases import ListAliasesRequest, ListAliasesResponse

    async def collect(client: "Client") -> "list[AliasDescription]":
        pages = client.pages("ListAliases", ListAliasesRequest(key=key), ListAliasesResponse)
        return [one async for page in pages for one in page.aliases]

    found = reach(ctx).run(collect)
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(f"alias/{one.alias}" for one in found)
    else:
        show_table(
            ("alias", "key", "changed"), ((f"alias/{one.alias}", one.key_id, moment(one.changed_ms)) for one in found)
        )


def add_to(app: typer.Typer) -> None:
    """Add this group to the program."""
    group = typer.Typer(no_args_is_help=True, help="Aliases, the second names of CMKs.")
    for command, example in (
        (create, "secretsctl alias create prod-db 2f0d7c0e-7c58-4b7e-9f3e-4c6b5b7a9d10"),
        (move, "secretsctl alias move prod-db 8a1f4f4c-3d0a-4f0f-8a55-0f6a1f7f2c33"),
        (delete, "secretsctl alias delete prod-db"),
        (ls, "secretsctl alias ls --key alias/prod-db -o raw"),
    ):
        group.command(epilog=examples(example))(command)
    app.add_typer(group, name="alias")
