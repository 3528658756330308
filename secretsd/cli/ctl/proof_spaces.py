"""Proof spaces: which proofs of identity an account may bind, for operators to say."""

from typing import TYPE_CHECKING, Annotated

import typer

from secretsd.cli.ctl.account_arguments import account_number
from secretsd.cli.ctl.holders import call, show
from secretsd.cli.ctl.key_arguments import Yes, confirm, examples
from secretsd.cli.ctl.output import Form, Output, moment, show_json, show_lines, show_table
from secretsd.cli.ctl.reach import reach

if TYPE_CHECKING:
    from secretsd.api.proof_spaces import ProofSpaceDescription
    from secretsd.client import Client

Space = Annotated[
    str,
    typer.Argument(
        metavar="SPACE", help="Such as unix:uid/2000-2999, or systemd:unit/acme-*.service.", show_default=False
    ),
]


def create(
    ctx: typer.Context,
    space: Space,
    account: Annotated[
        str,
        typer.Option(
            metavar="ACCOUNT", parser=account_number, help="The account whose administrators may bind these proofs."
        ),
    ],
    output: Output = Form.TABLE,
) -> None:
    """Leave proofs of identity to an account; no proof is in two spaces."""
    show(call(ctx, "CreateProofSpace", space=space, account=account), output, space)


def list_proof_spaces(
    ctx: typer.Context,
    every_account: Annotated[
        bool, typer.Option("--every-account", help="Those of all accounts, which operators may see.")
    ] = False,
    output: Output = Form.TABLE,
) -> None:
    """List the proof spaces of your account."""
    from secretsd.api.proof_spaces import ListProofSpacesRequest, ListProofSpacesResponse

    async def collect(client: "Client") -> "list[ProofSpaceDescription]":
        request = ListProofSpacesRequest(every_account=every_account)
        pages = client.pages("ListProofSpaces", request, ListProofSpacesResponse)
        return [one async for page in pages for one in page.proof_spaces]

    found = reach(ctx).run(collect)
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(one.space for one in found)
    else:
        show_table(
            ("proof space", "account", "created"), ((one.space, one.account, moment(one.created_ms)) for one in found)
        )


def delete(
    ctx: typer.Context,
    space: Space,
    force: Annotated[bool, typer.Option("--force", help="Take the account's bindings in it away as well.")] = False,
    yes: Yes = False,
) -> None:
    """Take proofs of identity back from an account."""
    consequence = "Its account can bind nothing in it any more"
    consequence += "; whoever is bound in it is refused from now on." if force else "."
    confirm(f"delete proof space {space}", consequence, yes=yes)
    bindings, deleted = 0, False
    while not deleted:
        answer = call(ctx, "DeleteProofSpace", space=space, force=force or None)
        bindings, deleted = bindings + answer.bindings, answer.deleted
    show_lines([f"proof space {space}: deleted" + (f", and {bindings} bindings" if bindings else "")])


def add_to(app: typer.Typer) -> None:
    """Add this group to the program."""
    group = typer.Typer(no_args_is_help=True, help="Proof spaces: which proofs of identity an account may bind.")
    group.command(
        epilog=examples("secretsctl proof-space create 'systemd:unit/acme-*.service' --account 123456789012")
    )(create)
    group.command("list")(list_proof_spaces)
    group.command(epilog=examples("secretsctl proof-space delete unix:uid/2000-2999 --force --yes"))(delete)
    app.add_typer(group, name="proof-space")
