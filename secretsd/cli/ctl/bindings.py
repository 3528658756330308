"""Bindings: which proof of identity leads to which user or role."""

from typing import TYPE_CHECKING, Annotated

import typer

from secretsd.cli.ctl.holders import call
from secretsd.cli.ctl.key_arguments import examples
from secretsd.cli.ctl.output import Form, Output, moment, show_json, show_lines, show_table
from secretsd.cli.ctl.reach import reach

if TYPE_CHECKING:
    from secretsd.api.bindings import BindingDescription
    from secretsd.client import Client

Proof = Annotated[
    str,
    typer.Argument(help="Such as unix:uid/1000, systemd:unit/shop.service, or jwt:ISSUER/sub=ann.", show_default=False),
]
User = Annotated[str | None, typer.Argument(help="The user's name.", show_default=False)]
Role = Annotated[str | None, typer.Option(help="The role that it leads to, instead of a user.")]


def create(ctx: typer.Context, proof: Proof, user: User = None, role: Role = None) -> None:
    """Let whoever has the proof act as a user, or as a role; a proof leads to one of them only."""
    if (user is None) == (role is None):
        raise typer.BadParameter("say a user, or --role")
    made = call(ctx, "CreateBinding", proof=proof, user=user, role=role)
    show_lines([f"{made.proof}: acts as {_whom(made)}"])


def delete(ctx: typer.Context, proof: Proof) -> None:
    """End what a proof leads to."""
    call(ctx, "DeleteBinding", proof=proof)
    show_lines([f"{proof}: leads to nobody"])


def list_bindings(ctx: typer.Context, output: Output = Form.TABLE) -> None:
    """List which proofs lead to users and roles of the account."""
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
        show_table(("proof", "leads to", "created"), ((one.proof, _whom(one), moment(one.created_ms)) for one in found))


def _whom(binding: "BindingDescription") -> str:
    return f"role {binding.role}" if binding.role else str(binding.user)


def add_to(app: typer.Typer) -> None:
    """Add this group to the program."""
    group = typer.Typer(no_args_is_help=True, help="Which proof of identity leads to which user or role.")
    group.command(epilog=examples("secretsctl binding create systemd:unit/shop.service shop"))(create)
    group.command("list")(list_bindings)
    group.command()(delete)
    app.add_typer(group, name="binding")
