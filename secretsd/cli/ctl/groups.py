"""Groups: users that share policies."""

from typing import TYPE_CHECKING, Annotated

import typer

from secretsd.cli.ctl.holders import (
    Description,
    NewDescription,
    attachment_commands,
    call,
    delete_command,
    inline_commands,
    show,
)
from secretsd.cli.ctl.key_arguments import examples
from secretsd.cli.ctl.output import Form, Output, moment, show_json, show_lines, show_table
from secretsd.cli.ctl.reach import reach
from secretsd.cli.ctl.users import User

if TYPE_CHECKING:
    from secretsd.api.groups import DescribeGroupResponse, GroupDescription
    from secretsd.client import Client

Group = Annotated[str, typer.Argument(help="The group's name.", show_default=False)]


def create(ctx: typer.Context, group: Group, description: Description = "", output: Output = Form.TABLE) -> None:
    """Make a group, which has no members and no policies yet."""
    show(call(ctx, "CreateGroup", group=group, description=description), output, group)


def list_groups(ctx: typer.Context, output: Output = Form.TABLE) -> None:
    """List the groups of the account."""
    from secretsd.api.groups import ListGroupsRequest, ListGroupsResponse

    async def collect(client: "Client") -> "list[GroupDescription]":
        pages = client.pages("ListGroups", ListGroupsRequest(), ListGroupsResponse)
        return [group async for page in pages for group in page.groups]

    found = reach(ctx).run(collect)
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(one.group for one in found)
    else:
        show_table(
            ("group", "created", "policies", "description"),
            (
                (
                    one.group,
                    moment(one.created_ms),
                    " ".join((*one.policies, *(f"own:{name}" for name in one.inline_policies))),
                    one.description,
                )
                for one in found
            ),
        )


def describe(ctx: typer.Context, group: Group, output: Output = Form.TABLE) -> None:
    """Tell which policies a group has, and who is in it. The form raw prints the members alone."""
    import msgspec

    from secretsd.api.groups import DescribeGroupRequest, DescribeGroupResponse

    async def collect(client: "Client") -> "list[DescribeGroupResponse]":
        request = DescribeGroupRequest(group=group)
        return [page async for page in client.pages("DescribeGroup", request, DescribeGroupResponse)]

    pages = reach(ctx).run(collect)
    members = tuple(name for page in pages for name in page.members)
    if output is Form.RAW:
        show_lines(members)
    else:
        show(msgspec.structs.replace(pages[0], members=members, next_token=None), output, group)


def update(ctx: typer.Context, group: Group, description: NewDescription = None, output: Output = Form.TABLE) -> None:
    """Change a group's description."""
    show(call(ctx, "UpdateGroup", group=group, description=description), output, group)


def add(ctx: typer.Context, group: Group, user: User) -> None:
    """Give a user what a group has."""
    call(ctx, "AddUserToGroup", group=group, user=user)
    show_lines([f"user {user}: is in group {group}"])


def remove(ctx: typer.Context, group: Group, user: User) -> None:
    """Take from a user what a group has."""
    call(ctx, "RemoveUserFromGroup", group=group, user=user)
    show_lines([f"user {user}: is in group {group} no more"])


def add_to(app: typer.Typer) -> None:
    """Add this group to the program."""
    group = typer.Typer(no_args_is_help=True, help="Groups: users that share policies.")
    group.command(epilog=examples("secretsctl group create dbas --description 'who run the databases'"))(create)
    group.command("list")(list_groups)
    group.command()(describe)
    group.command()(update)
    delete_command(group, "group", "Its members have to be removed first.")
    group.command(epilog=examples("secretsctl group add dbas ann"))(add)
    group.command(epilog=examples("secretsctl group remove dbas ann"))(remove)
    attachment_commands(group, "group")
    inline_commands(group, "group")
    app.add_typer(group, name="group")
