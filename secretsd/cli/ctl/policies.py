"""Policies: which operations on which resources are allowed or denied."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from secretsd.cli.ctl import policy_questions, sources
from secretsd.cli.ctl.failures import FAILED
from secretsd.cli.ctl.holders import Description, NewDescription, Policy, call, delete_command, show_document
from secretsd.cli.ctl.key_arguments import examples
from secretsd.cli.ctl.output import Form, Output, moment, show_json, show_lines, show_table
from secretsd.cli.ctl.reach import reach

if TYPE_CHECKING:
    from secretsd.api.policies import PolicyDescription, PolicyEntity
    from secretsd.client import Client


def create(
    ctx: typer.Context,
    policy: Policy,
    source: sources.Source,
    description: Description = "",
    output: Output = Form.TABLE,
) -> None:
    """Make a policy from a document as RAM and IAM write it; what is wrong with one is told with its line.

    For example: {"Version": "1", "Statement":
    [{"Effect": "Allow", "Action": "GetSecretValue", "Resource": "secret/prod/*"}]}
    """
    document = sources.read_text(source, "policy")
    run = reach(ctx).run
    _show(run(lambda client: client.create_policy(policy=policy, document=document, description=description)), output)


def show(ctx: typer.Context, policy: Policy, output: Output = Form.TABLE) -> None:
    """Show a policy's statements."""
    _show(reach(ctx).run(lambda client: client.get_policy(policy)), output)


def list_policies(ctx: typer.Context, output: Output = Form.TABLE) -> None:
    """List the policies of the account."""
    from secretsd.api.policies import ListPoliciesRequest, ListPoliciesResponse

    async def collect(client: "Client") -> "list[PolicyDescription]":
        pages = client.pages("ListPolicies", ListPoliciesRequest(), ListPoliciesResponse)
        return [policy async for page in pages for policy in page.policies]

    found = reach(ctx).run(collect)
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(one.policy for one in found)
    else:
        show_table(
            ("policy", "created", "description"),
            ((one.policy, moment(one.created_ms), one.description) for one in found),
        )


def update(
    ctx: typer.Context,
    policy: Policy,
    source: Annotated[
        str | None, typer.Argument(metavar="[-|@FILE]", help="Another document, if any.", show_default=False)
    ] = None,
    description: NewDescription = None,
    output: Output = Form.TABLE,
) -> None:
    """Put another document in place of a policy's, in force at once wherever it is attached. The old one is gone."""
    document = None if source is None else sources.read_text(source, "policy")
    _show(call(ctx, "UpdatePolicy", policy=policy, document=document, description=description), output)


def entities(ctx: typer.Context, policy: Policy, output: Output = Form.TABLE) -> None:
    """List who has a policy: groups, roles and users that it is attached to, or that it bounds."""
    from secretsd.api.policies import ListEntitiesForPolicyRequest, ListEntitiesForPolicyResponse

    async def collect(client: "Client") -> "list[PolicyEntity]":
        request = ListEntitiesForPolicyRequest(policy=policy)
        pages = client.pages("ListEntitiesForPolicy", request, ListEntitiesForPolicyResponse)
        return [entity async for page in pages for entity in page.entities]

    found = reach(ctx).run(collect)
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(f"{one.kind}/{one.name}" for one in found)
    else:
        show_table(
            ("kind", "name", "attached", "boundary"),
            ((one.kind, one.name, ("no", "yes")[one.attached], ("no", "yes")[one.boundary]) for one in found),
        )


def validate(
    ctx: typer.Context,
    source: sources.Source,
    kind: Annotated[
        Literal["identity", "resource", "trust"],
        typer.Option(metavar="KIND", help="Whose it would be: identity (users, groups, roles), resource or trust."),
    ] = "identity",
    output: Output = Form.TABLE,
) -> None:
    """Tell whether a document would be accepted, or in which line what is wrong: exit code 1. Nothing is stored."""
    document = sources.read_text(source, "policy")
    found = call(ctx, "ValidatePolicy", document=document, kind=kind)
    if output is Form.JSON:
        show_json(found)
    elif not found.valid:
        show_lines([f"line {found.line}: {found.problem}"])
    else:
        reach_of_it = "; it makes an operator of whoever has it" if found.reaches_system else ""
        show_lines([f"good{reach_of_it}"])
    if not found.valid:
        raise typer.Exit(FAILED)


def _show(policy: "PolicyDescription", output: Form) -> None:
    if output is Form.JSON:
        show_json(policy)
    elif output is Form.RAW:
        show_lines([policy.policy])
    else:
        show_lines([f"{policy.policy}  {policy.description}".rstrip()])
        show_document(policy.document)


def add_to(app: typer.Typer) -> None:
    """Add this group to the program."""
    group = typer.Typer(no_args_is_help=True, help="What users, groups and roles may do.")
    group.command(epilog=examples("secretsctl policy create readers @readers.json"))(create)
    group.command()(show)
    group.command("list")(list_policies)
    group.command(epilog=examples("secretsctl policy update readers @readers.json"))(update)
    group.command(epilog=examples("secretsctl policy entities readers"))(entities)
    group.command(epilog=examples("secretsctl policy validate @trust.json --kind trust"))(validate)
    delete_command(group, "policy", "It has to be taken from everybody first.")
    policy_questions.add_to(group)
    app.add_typer(group, name="policy")
