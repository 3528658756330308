"""Users: who they are, what they may do, their bearer tokens and access keys."""

from typing import TYPE_CHECKING, Annotated

import typer

from secretsd.cli.ctl import access_keys, tokens
from secretsd.cli.ctl.holders import (
    Boundary,
    Description,
    NewDescription,
    Tags,
    attachment_commands,
    boundary_commands,
    call,
    delete_command,
    inline_commands,
    show,
    tag_commands,
    tags_of,
)
from secretsd.cli.ctl.key_arguments import examples
from secretsd.cli.ctl.output import Form, Output, moment, show_json, show_lines, show_table
from secretsd.cli.ctl.reach import reach

if TYPE_CHECKING:
    from secretsd.api.users import UserDescription
    from secretsd.client import Client

User = Annotated[str, typer.Argument(help="The user's name.", show_default=False)]


def create(
    ctx: typer.Context,
    user: User,
    description: Description = "",
    service: Annotated[bool, typer.Option("--service", help="It never has standing credentials.")] = False,
    boundary: Boundary = None,
    tag: Tags = None,
    output: Output = Form.TABLE,
) -> None:
    """Make a user, who may do nothing until a policy is attached."""
    tags = tags_of(tag)
    made = reach(ctx).run(
        lambda client: client.create_user(
            user=user, description=description, service=service, boundary=boundary, tags=tags
        )
    )
    show(made, output, user)


def list_users(ctx: typer.Context, output: Output = Form.TABLE) -> None:
    """List the users of the account."""
    from secretsd.api.users import ListUsersRequest, ListUsersResponse

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
            ("user", "created", "policies", "groups", "boundary", "description"),
            (
                (
                    one.user,
                    moment(one.created_ms),
                    " ".join((*one.policies, *(f"own:{name}" for name in one.inline_policies))),
                    " ".join(one.groups),
                    one.boundary or "",
                    one.description,
                )
                for one in found
            ),
        )


def describe(ctx: typer.Context, user: User, output: Output = Form.TABLE) -> None:
    """Tell which policies and groups a user has, and what bounds him."""
    show(reach(ctx).run(lambda client: client.describe_user(user)), output, user)


def update(
    ctx: typer.Context,
    user: User,
    description: NewDescription = None,
    service: Annotated[
        bool | None, typer.Option("--service/--no-service", help="Whether it never has standing credentials.")
    ] = None,
    output: Output = Form.TABLE,
) -> None:
    """Change a user's description, or whether it is a service; what is not given stays."""
    show(call(ctx, "UpdateUser", user=user, description=description, service=service), output, user)


def add_to(app: typer.Typer) -> None:
    """Add this group to the program."""
    group = typer.Typer(no_args_is_help=True, help="Users, what they may do, their tokens and access keys.")
    create_examples = examples(
        "secretsctl user create ann --description 'of billing' --tag team=billing",
        "secretsctl user create shop --service --boundary within",
    )
    group.command(epilog=create_examples)(create)
    group.command("list")(list_users)
    group.command()(describe)
    group.command(epilog=examples("secretsctl user update ann --description 'of sales'"))(update)
    delete_command(group, "user", "His tokens, access keys and bindings have to go first.")
    attachment_commands(group, "user")
    inline_commands(group, "user")
    boundary_commands(group, "user")
    tag_commands(group, "user")
    tokens.add_to(group)
    access_keys.add_to(group)
    app.add_typer(group, name="user")
