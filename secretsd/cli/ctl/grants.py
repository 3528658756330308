"""Grants: named operations on a key for one principal. Create, list, what one may give up, revoke, retire."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from secretsd.cli.ctl import times
from secretsd.cli.ctl.encryption import read_context
from secretsd.cli.ctl.holders import call
from secretsd.cli.ctl.key_arguments import Key, examples, show_answer
from secretsd.cli.ctl.output import Form, Output, moment, show_json, show_lines, show_table
from secretsd.cli.ctl.reach import reach

if TYPE_CHECKING:
    from secretsd.api.grants import GrantDescription
    from secretsd.client import Client

Grant = Annotated[str, typer.Argument(help="The grant's id.", show_default=False)]


def create(
    ctx: typer.Context,
    key: Key,
    to: Annotated[
        str,
        typer.Option(metavar="PRINCIPAL", help="secretsd:ACCOUNT:user/NAME, …:role/NAME or an account."),
    ],
    allow: Annotated[list[str], typer.Option(metavar="OPERATION", help="What is allowed; may be given again.")],
    equals: Annotated[
        list[str] | None,
        typer.Option("--context", metavar="NAME=VALUE", help="All of the encryption context; may be given again."),
    ] = None,
    within: Annotated[
        list[str] | None,
        typer.Option("--context-has", metavar="NAME=VALUE", help="A part of the context; may be given again."),
    ] = None,
    retiring: Annotated[str | None, typer.Option(metavar="PRINCIPAL", help="Who else may give it up.")] = None,
    lasts: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="How long, such as 12h or 30d; for good if not said.")
    ] = None,
    name: Annotated[str, typer.Option(help="The same grant again under one name is no second one.")] = "",
    output: Output = Form.TABLE,
) -> None:
    """Let a principal use a key for named operations, at once."""
    made = call(
        ctx,
        "CreateGrant",
        key=key,
        grantee=to,
        operations=allow,
        context_equals=read_context(equals or []),
        context_subset=read_context(within or []),
        retiring_principal=retiring,
        expires_ms=None if lasts is None else int(time.time() * 1000) + times.seconds(lasts) * 1000,
        name=name,
    )
    show_answer(made, output, made.id)


def list_grants(ctx: typer.Context, key: Key, output: Output = Form.TABLE) -> None:
    """List the grants on a key."""
    from secretsd.api.grants import ListGrantsRequest

    _show(ctx, "ListGrants", ListGrantsRequest(key=key), output)


def retirable(
    ctx: typer.Context,
    principal: Annotated[str | None, typer.Option(help="Another principal of the account, in full.")] = None,
    output: Output = Form.TABLE,
) -> None:
    """List the grants, on keys of whatever account, that one may give up as their retiring principal."""
    from secretsd.api.grants import ListRetirableGrantsRequest

    _show(ctx, "ListRetirableGrants", ListRetirableGrantsRequest(retiring_principal=principal), output)


def revoke(ctx: typer.Context, key: Key, grant: Grant) -> None:
    """Take a grant back, and all that was passed on of it, at once."""
    show_lines(f"{one}: revoked" for one in call(ctx, "RevokeGrant", key=key, grant=grant).grants)


def retire(ctx: typer.Context, key: Key, grant: Grant) -> None:
    """Give a grant up, and all that was passed on of it."""
    show_lines(f"{one}: retired" for one in call(ctx, "RetireGrant", key=key, grant=grant).grants)


def _show(ctx: typer.Context, operation: str, request: Any, output: Form) -> None:
    from secretsd.api.grants import ListGrantsResponse

    async def collect(client: "Client") -> "list[GrantDescription]":
        pages = client.pages(operation, request, ListGrantsResponse)
        return [one async for page in pages for one in page.grants]

    found = reach(ctx).run(collect)
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(one.id for one in found)
    else:
        show_table(
            ("grant", "to", "operations", "context", "until", "name"),
            (
                (
                    one.id,
                    one.grantee,
                    " ".join(one.operations),
                    _context(one),
                    "" if one.expires_ms is None else moment(one.expires_ms),
                    one.name,
                )
                for one in found
            ),
        )


def _context(grant: "GrantDescription") -> str:
    """Which encryption context it asks for."""
    parts = [f"{name}={value}" for name, value in (grant.context_equals or grant.context_subset).items()]
    return " ".join(parts) + (" …" if grant.context_subset else "")


def add_to(app: typer.Typer) -> None:
    """Add this group to the program."""
    group = typer.Typer(no_args_is_help=True, help="Grants: named operations on a key for one principal.")
    vendor = (
        "secretsctl grant create alias/orders --to secretsd:200000000002:role/app --allow Encrypt --context tenant=7"
    )
    group.command(epilog=examples(vendor))(create)
    group.command("list", epilog=examples("secretsctl grant list alias/orders -o raw"))(list_grants)
    group.command(epilog=examples("secretsctl grant retirable"))(retirable)
    group.command(epilog=examples("secretsctl grant revoke alias/orders GRANT"))(revoke)
    group.command(epilog=examples("secretsctl grant retire secretsd:100000000001:alias/orders GRANT"))(retire)
    app.add_typer(group, name="grant")
