"""Access keys of users."""

from typing import TYPE_CHECKING, Annotated

import typer

from secretsd.cli.ctl.key_arguments import examples
from secretsd.cli.ctl.output import Form, Output, moment, show_fields, show_json, show_lines, show_table
from secretsd.cli.ctl.reach import reach

if TYPE_CHECKING:
    from secretsd.client import Client

User = Annotated[str, typer.Argument(help="The user's name.", show_default=False)]
Key = Annotated[str, typer.Argument(metavar="ID", help="The access key's id.", show_default=False)]


def create_access_key(ctx: typer.Context, user: User, output: Output = Form.RAW) -> None:
    """Make an access key and print its id and secret, this once; a user has two at most, to change over."""
    made = reach(ctx).run(lambda client: client.create_access_key(user))
    if output is Form.JSON:
        show_json(made)
    elif output is Form.RAW:
        show_lines([f"{made.id}:{made.secret.reveal().decode()}"])
    else:
        show_fields({"id": made.id, "secret": made.secret.reveal().decode(), "created": moment(made.created_ms)})


def list_access_keys(ctx: typer.Context, user: User, output: Output = Form.TABLE) -> None:
    """List a user's access keys, without their secrets."""
    found = reach(ctx).run(lambda client: client.list_access_keys(user)).access_keys
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(one.id for one in found)
    else:
        show_table(
            ("access key", "active", "created"),
            ((one.id, "yes" if one.active else "no", moment(one.created_ms)) for one in found),
        )


def disable(ctx: typer.Context, user: User, key: Key) -> None:
    """Switch an access key off, and the tokens that were got by it, at once."""
    _switch(ctx, user, key, active=False)
    show_lines([f"{user}: access key {key} is inactive"])


def enable(ctx: typer.Context, user: User, key: Key) -> None:
    """Switch an access key on again."""
    _switch(ctx, user, key, active=True)
    show_lines([f"{user}: access key {key} is active"])


def _switch(ctx: typer.Context, user: str, key: str, *, active: bool) -> None:
    async def switch(client: "Client") -> None:
        await client.update_access_key(user, access_key=key, active=active)

    reach(ctx).run(switch)


def delete_access_key(ctx: typer.Context, user: User, key: Key) -> None:
    """End an access key and the tokens that were got by it, at once."""
    reach(ctx).run(lambda client: client.delete_access_key(user, access_key=key))
    show_lines([f"{user}: access key {key} is no longer good"])


def add_to(group: typer.Typer) -> None:
    """Add these commands to those on users."""
    keys = typer.Typer(no_args_is_help=True, help="Access keys of users, which are turned into short tokens.")
    keys.command("create", epilog=examples("secretsctl user access-key create ann > ann.key"))(create_access_key)
    keys.command("list")(list_access_keys)
    keys.command()(disable)
    keys.command()(enable)
    keys.command("delete")(delete_access_key)
    group.add_typer(keys, name="access-key")
