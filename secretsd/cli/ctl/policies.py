"""Policies: which operations on which resources are allowed or denied."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from secretsd.cli.ctl import sources
from secretsd.cli.ctl.output import Form, Output, moment, show_json, show_lines, show_table
from secretsd.cli.ctl.reach import reach

if TYPE_CHECKING:
    from secretsd.api.access import PolicyDescription
    from secretsd.client import Client

Policy = Annotated[str, typer.Argument(help="The policy's name.", show_default=False)]


def create(
    ctx: typer.Context,
    policy: Policy,
    source: sources.Source,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    output: Output = Form.TABLE,
) -> None:
    """Make a policy from JSON: statements, each with effect (Allow or Deny), action and resource.

    For example: {"statements": [{"effect": "Allow", "action": ["GetSecretValue"], "resource": ["secret/prod/*"]}]}
    """
    from secretsd.api.access import CreatePolicyRequest, PolicyDescription

    document = sources.read_document(source, "policy", dict[str, Any])
    given = {"description": description} if description else {}
    request = sources.as_request({**document, "policy": policy, **given}, CreatePolicyRequest)
    _show(reach(ctx).run(lambda client: client.exchange("CreatePolicy", request, PolicyDescription)), output)


def show(ctx: typer.Context, policy: Policy, output: Output = Form.TABLE) -> None:
    """Show a policy's statements."""
    _show(reach(ctx).run(lambda client: client.get_policy(policy)), output)


def list_policies(ctx: typer.Context, output: Output = Form.TABLE) -> None:
    """List the policies of the account."""
    from secretsd.api.access import ListPoliciesRequest, ListPoliciesResponse

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
            ("policy", "statements", "created", "description"),
            ((one.policy, str(len(one.statements)), moment(one.created_ms), one.description) for one in found),
        )


def _show(policy: "PolicyDescription", output: Form) -> None:
    if output is Form.JSON:
        show_json(policy)
    elif output is Form.RAW:
        show_lines([policy.policy])
    else:
        show_lines([f"{policy.policy}  {policy.description}".rstrip()])
        show_table(
            ("effect", "action", "resource"),
            ((one.effect, " ".join(one.action), " ".join(one.resource)) for one in policy.statements),
        )


def add_to(app: typer.Typer) -> None:
    """Add this group to the program."""
    group = typer.Typer(no_args_is_help=True, help="What users may do.")
    group.command()(create)
    group.command()(show)
    group.command("list")(list_policies)
    app.add_typer(group, name="policy")
