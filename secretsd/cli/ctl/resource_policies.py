"""Policies of keys and secrets: what their owner lets others do with them, or denies."""

from typing import TYPE_CHECKING, Annotated

import typer

from secretsd.cli.ctl import sources
from secretsd.cli.ctl.holders import call, show_document
from secretsd.cli.ctl.key_arguments import Yes, confirm, examples
from secretsd.cli.ctl.output import Form, Output, show_json, show_lines

if TYPE_CHECKING:
    from secretsd.api.resource_policies import ResourcePolicyDescription

Resource = Annotated[str, typer.Argument(help="secret/NAME, key/ID or alias/NAME.", show_default=False)]


def put(
    ctx: typer.Context,
    resource: Resource,
    source: sources.Source,
    bypass: Annotated[
        bool, typer.Option("--bypass-lockout-check", help="Even if you could not change it again.")
    ] = False,
    output: Output = Form.TABLE,
) -> None:
    """Say what others may do with a key or secret; it takes the place of what was said before, at once.

    For example: {"Version": "1", "Statement":
    [{"Effect": "Allow", "Principal": "secretsd:200000000002:role/app", "Action": "GetSecretValue"}]}
    """
    document = sources.read_text(source, "policy")
    _show(call(ctx, "PutResourcePolicy", resource=resource, document=document, bypass_lockout_check=bypass), output)


def show(ctx: typer.Context, resource: Resource, output: Output = Form.TABLE) -> None:
    """Show the policy of a key or secret."""
    _show(call(ctx, "GetResourcePolicy", resource=resource), output)


def delete(ctx: typer.Context, resource: Resource, yes: Yes = False) -> None:
    """Take the policy of a key or secret away."""
    confirm(f"delete the policy of {resource}", "What it allows others ends at once.", yes=yes)
    call(ctx, "DeleteResourcePolicy", resource=resource)
    show_lines([f"{resource}: has no policy any more"])


def _show(policy: "ResourcePolicyDescription", output: Form) -> None:
    if output is Form.JSON:
        show_json(policy)
    elif output is Form.RAW:
        show_document(policy.document)
    else:
        show_lines([policy.resource])
        show_document(policy.document)


def add_to(app: typer.Typer) -> None:
    """Add this group to the program."""
    group = typer.Typer(no_args_is_help=True, help="What owners of keys and secrets let others do with them.")
    group.command(epilog=examples("secretsctl resource-policy put secret/prod/db @readers.json"))(put)
    group.command(epilog=examples("secretsctl resource-policy show alias/orders"))(show)
    group.command(epilog=examples("secretsctl resource-policy delete secret/prod/db --yes"))(delete)
    app.add_typer(group, name="resource-policy")
