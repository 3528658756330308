"""Users, the policies attached to them, and their bearer tokens."""

from typing import TYPE_CHECKING, Annotated

import typer

from secretsd.cli.ctl.output import (
    Form,
    Output,
    described,
    moment,
    show_bytes,
    show_fields,
    show_json,
    show_lines,
    show_table,
)
from secretsd.cli.ctl.reach import reach
from secretsd.cli.ctl.times import seconds

if TYPE_CHECKING:
    from secretsd.api.access import UserDescription
    from secretsd.client import Client

User = Annotated[str, typer.Argument(help="The user's name.", show_default=False)]
Policy = Annotated[str, typer.Argument(help="The policy's name.", show_default=False)]


def create(ctx: typer.Context, user: User, output: Output = Form.TABLE) -> None:
    """Make a user, who may do nothing until a policy is attached."""
    _show(reach(ctx).run(lambda client: client.create_user(user=user)), output)


def list_users(ctx: typer.Context, output: Output = Form.TABLE) -> None:
    """List the users of the account."""
    from secretsd.api.access import ListUsersRequest, ListUsersResponse

    async def collect(client: "Client") -> "list[UserDescription]":
        pages = client.pages("ListUsers", ListUsersRequest(), ListUsersResponse)
        return [user async for page in pages for user in page.users]

    found = reach(ctx).run(collect)
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(one.user for one in found)
    else:
        show_table(
            ("user", "created", "policies"),
            ((one.user, moment(one.created_ms), " ".join(one.policies)) for one in found),
        )


def describe(ctx: typer.Context, user: User, output: Output = Form.TABLE) -> None:
    """Tell which policies a user has."""
    _show(reach(ctx).run(lambda client: client.describe_user(user)), output)


def attach(ctx: typer.Context, user: User, policy: Policy, output: Output = Form.TABLE) -> None:
    """Give a user what a policy says."""
    _show(reach(ctx).run(lambda client: client.attach_policy(user, policy=policy)), output)


def detach(ctx: typer.Context, user: User, policy: Policy, output: Output = Form.TABLE) -> None:
    """Take from a user what a policy says."""
    _show(reach(ctx).run(lambda client: client.detach_policy(user, policy=policy)), output)


def create_token(
    ctx: typer.Context,
    user: User,
    ttl: Annotated[
        int | None, typer.Option(metavar="DURATION", parser=seconds, help="How long it is good, such as 30d.")
    ] = None,
    output: Output = Form.RAW,
) -> None:
    """Make a bearer token and print it, this once; keep it in a file of mode 0600 for --token-file."""
    made = reach(ctx).run(lambda client: client.create_token(user, ttl_seconds=ttl))
    if output is Form.JSON:
        show_json(made)
    elif output is Form.RAW:
        show_bytes(made.token.reveal())
    else:
        show_fields({"id": made.id, "token": made.token.reveal().decode(), "expires": moment(made.expires_ms)})


def list_tokens(ctx: typer.Context, user: User, output: Output = Form.TABLE) -> None:
    """List a user's tokens, without what proves them."""
    found = reach(ctx).run(lambda client: client.list_tokens(user)).tokens
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(one.id for one in found)
    else:
        show_table(
            ("token", "created", "expires"),
            ((one.id, moment(one.created_ms), moment(one.expires_ms) or "never") for one in found),
        )


def delete_token(
    ctx: typer.Context,
    user: User,
    token: Annotated[str, typer.Argument(metavar="ID", help="The token's id, not the token.", show_default=False)],
) -> None:
    """End a token, at once."""
    reach(ctx).run(lambda client: client.delete_token(user, id=token))
    show_lines([f"{user}: token {token} is no longer good"])


def _show(user: "UserDescription", output: Form) -> None:
    if output is Form.JSON:
        show_json(user)
    elif output is Form.RAW:
        show_lines([user.user])
    else:
        show_fields(described(user))


def add_to(app: typer.Typer) -> None:
    """Add this group to the program."""
    group = typer.Typer(no_args_is_help=True, help="Users, what they may do, and their tokens.")
    group.command()(create)
    group.command("list")(list_users)
    for command in (describe, attach, detach):
        group.command()(command)
    tokens = typer.Typer(no_args_is_help=True, help="Bearer tokens of users.")
    tokens.command("create")(create_token)
    tokens.command("list")(list_tokens)
    tokens.command("delete")(delete_token)
    group.add_typer(tokens, name="token")
    app.add_typer(group, name="user")
