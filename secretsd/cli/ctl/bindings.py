"""Bindings: which proof of identity leads to which user."""

from typing import TYPE_CHECKING, Annotated

import typer

from secretsd.cli.ctl.output import Form, Output, moment, show_json, show_lines, show_table
from secretsd.cli.ctl.reach import reach
from secretsd.cli.ctl.users import User

if TYPE_CHECKING:
    from secretsd.api.bindings import BindingDescription
    from secretsd.client import Client

Proof = Annotated[str, typer.Argument(help="Such as unix:uid/1000, or jwt:ISSUER/sub=ann.", show_default=False)]


def create(ctx: typer.Context, proof: Proof, user: User) -> None:
    """Let whoever has the proof act as a user; a proof leads to one user only."""
    made = reach(ctx).run(lambda client: client.create_binding(proof=proof, user=user))
    show_lines([f"{made.proof}: acts as {made.user}"])


def delete(ctx: typer.Context, proof: Proof) -> None:
    """End what a proof leads to."""
    reach(ctx).run(lambda client: client.delete_binding(proof=proof))
    show_lines([f"{proof}: leads to nobody"])


def list_bindings(ctx: typer.Context, output: Output = Form.TABLE) -> None:
    """List which proofs lead to users of the account."""
    from secretsd.api.bindings import ListBindingsRequest, ListBindingsResponse

    async def collect(client: "Client") -> "list[BindingDescription]":
        pages = client.pages("ListBindings", ListBindingsRequest(), ListBindingsResponse)
        return [binding async for page in pages for binding in page.bindings]

    found = reach(ctx).run(collect)
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(one.proof for one in found)
    else:
        show_table(("proof", "user", "created"), ((one.proof, one.user, moment(one.created_ms)) for one in found))


def add_to(app: typer.Typer) -> None:
    """Add this group to the program."""
    group = typer.Typer(no_args_is_help=True, help="Which proof of identity leads to which user.")
    group.command()(create)
    group.command("list")(list_bindings)
    group.command()(delete)
    app.add_typer(group, name="binding")
