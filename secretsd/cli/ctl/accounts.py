"""Accounts, for operators: made with their first administrator, and named for people."""

from typing import TYPE_CHECKING, Annotated

import typer

from secretsd.cli.ctl.account_arguments import account_number
from secretsd.cli.ctl.holders import call, show
from secretsd.cli.ctl.key_arguments import examples
from secretsd.cli.ctl.output import (
    Form,
    Output,
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
    from secretsd.api.accounts import AccountDescription
    from secretsd.client import Client

Account = Annotated[
    str,
    typer.Argument(metavar="ACCOUNT", parser=account_number, help="The account's number.", show_default=False),
]
AccountName = Annotated[str, typer.Argument(metavar="NAME", help="What people call it.", show_default=False)]


def create(
    ctx: typer.Context,
    name: AccountName,
    administrator: Annotated[
        str, typer.Option(metavar="USER", help="Its first user, who may do everything.")
    ] = "admin",
    ttl: Annotated[
        int | None,
        typer.Option(
            metavar="DURATION", parser=seconds, help="How long his token is good, a day at most; an hour if not said."
        ),
    ] = None,
    output: Output = Form.TABLE,
) -> None:
    """Make an account with its default key and an administrator, and print his token, this once."""
    made = call(ctx, "CreateAccount", account_name=name, administrator=administrator, ttl_seconds=ttl)
    if output is Form.JSON:
        show_json(made)
    elif output is Form.RAW:
        show_bytes(made.token.reveal())
    else:
        show_fields(
            {
                "account": made.account,
                "name": made.account_name,
                "administrator": made.administrator,
                "token": made.token.reveal().decode(),
                "expires": moment(made.expires_ms),
            }
        )


def list_accounts(ctx: typer.Context, output: Output = Form.TABLE) -> None:
    """List the accounts."""
    from secretsd.api.accounts import ListAccountsRequest, ListAccountsResponse

    async def collect(client: "Client") -> "list[AccountDescription]":
        pages = client.pages("ListAccounts", ListAccountsRequest(), ListAccountsResponse)
        return [account async for page in pages for account in page.accounts]

    found = reach(ctx).run(collect)
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(one.account for one in found)
    else:
        rows = ((one.account, one.account_name, moment(one.created_ms)) for one in found)
        show_table(("account", "name", "created"), rows)


def describe(ctx: typer.Context, account: Account, output: Output = Form.TABLE) -> None:
    """Tell what an account is called, and since when it is there."""
    show(call(ctx, "DescribeAccount", account=account), output, account)


def rename(ctx: typer.Context, account: Account, name: AccountName, output: Output = Form.TABLE) -> None:
    """Give an account another name; nothing but people goes by it."""
    show(call(ctx, "UpdateAccount", account=account, account_name=name), output, account)


def add_to(app: typer.Typer) -> None:
    """Add this group to the program."""
    group = typer.Typer(no_args_is_help=True, help="Accounts, for operators.")
    group.command(epilog=examples("secretsctl account create acme --administrator ann --ttl 4h -o raw > token"))(create)
    group.command("list")(list_accounts)
    group.command()(describe)
    group.command(epilog=examples("secretsctl account rename 123456789012 acme-europe"))(rename)
    app.add_typer(group, name="account")
