"""Access keys of users: an id and a secret for programs."""

from typing import Annotated

import typer

from secretsd.cli.ctl.key_arguments import examples
from secretsd.cli.ctl.output import Form, Output, moment, show_fields, show_json, show_lines, show_table
from secretsd.cli.ctl.reach import reach

User = Annotated[str, typer.Argument(help="The user's name.", show_default=False)]
AccessKey = Annotated[str, typer.Argument(metavar="ID", help="The access key's id.", show_default=False)]


def create(ctx: typer.Context, user: User, output: Output = Form.TABLE) -> None:
    """Make an access key and print its id and its secret, this once; a user has two at most."""
    made = reach(ctx).run(lambda client: client.create_access_key(user))
    secret = made.secret.reveal().decode()
    if output is Form.JSON:
        show_json(made)
    elif output is Form.RAW:
        show_lines([f"{made.access_key}:{secret}"])
    else:
        show_fields({"access_key": made.access_key, "secret": secret, "created": moment(made.created_ms)})


def list_access_keys(ctx: typer.Context, user: User, output: Output = Form.TABLE) -> None:
    """List a user's access keys without their secrets, and when each was used last."""
    found = reach(ctx).run(lambda client: client.list_access_keys(user)).access_keys
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(one.access_key for one in found)
    else:
        show_table(
            ("access key", "in use", "created", "last used", "from", "for"),
            (
                (
                    one.access_key,
                    "yes" if one.active else "no",
                    moment(one.created_ms),
                    moment(one.last_used_ms) or "never",
                    one.last_used_from or "",
                    one.last_operation or "",
                )
                for one in found
            ),
        )


def disable(ctx: typer.Context, user: User, access_key: AccessKey) -> None:
    """Take an access key out of use, with the tokens that were got for it; at once."""
    reach(ctx).run(lambda client: client.update_access_key(user, access_key=access_key, active=False))
    show_lines([f"{user}: access key {access_key} is out of use"])


def enable(ctx: typer.Context, user: User, access_key: AccessKey) -> None:
    """Take an access key back into use."""
    reach(ctx).run(lambda client: client.update_access_key(user, access_key=access_key, active=True))
    show_lines([f"{user}: access key {access_key} is in use"])


def delete(ctx: typer.Context, user: User, access_key: AccessKey) -> None:
    """End an access key and the tokens that were got for it, at once and for good."""
    reach(ctx).run(lambda client: client.delete_access_key(user, access_key=access_key))
    show_lines([f"{user}: access key {access_key} is no longer good"])


def add_to(group: typer.Typer) -> None:
    """Add these commands to those on users."""
    keys = typer.Typer(no_args_is_help=True, help="Access keys of users.")
    keys.command(epilog=examples("secretsctl user access-key create ann"))(create)
    keys.command("list")(list_access_keys)
    keys.command()(disable)
    keys.command()(enable)
    keys.command()(delete)
    group.add_typer(keys, name="access-key")
