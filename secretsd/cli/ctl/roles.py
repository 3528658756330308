"""Roles: what others may become for a while."""

from typing import TYPE_CHECKING, Annotated

import typer

from secretsd.cli.ctl import sessions, sources
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
from secretsd.cli.ctl.output import Form, Output, moment, show_bytes, show_fields, show_json, show_lines, show_table
from secretsd.cli.ctl.reach import reach
from secretsd.cli.ctl.times import seconds

if TYPE_CHECKING:
    from secretsd.api.roles import RoleDescription
    from secretsd.client import Client

Role = Annotated[str, typer.Argument(help="The role's name.", show_default=False)]
MaxSession = Annotated[
    int | None,
    typer.Option(metavar="DURATION", parser=seconds, help="How long a session may be, 15m to 12h. [default: 1h]"),
]


def create(
    ctx: typer.Context,
    role: Role,
    source: sources.Source,
    description: Description = "",
    max_session: MaxSession = None,
    boundary: Boundary = None,
    tag: Tags = None,
    output: Output = Form.TABLE,
) -> None:
    """Make a role out of a trust policy, which says who may assume it; it may do nothing until a policy is attached.

    For example: {"Version": "1", "Statement":
    [{"Effect": "Allow", "Principal": "secretsd:123456789012:user/ann", "Action": "AssumeRole"}]}
    """
    tags = tags_of(tag)
    trust = sources.read_text(source, "trust policy")
    made = call(
        ctx,
        "CreateRole",
        role=role,
        trust=trust,
        description=description,
        max_session_seconds=max_session,
        boundary=boundary,
        tags=tags,
    )
    show(made, output, role, "trust")


def list_roles(ctx: typer.Context, output: Output = Form.TABLE) -> None:
    """List the roles of the account."""
    from secretsd.api.roles import ListRolesRequest, ListRolesResponse

    async def collect(client: "Client") -> "list[RoleDescription]":
        pages = client.pages("ListRoles", ListRolesRequest(), ListRolesResponse)
        return [role async for page in pages for role in page.roles]

    found = reach(ctx).run(collect)
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(one.role for one in found)
    else:
        show_table(
            ("role", "created", "policies", "boundary", "description"),
            (
                (
                    one.role,
                    moment(one.created_ms),
                    " ".join((*one.policies, *(f"own:{name}" for name in one.inline_policies))),
                    one.boundary or "",
                    one.description,
                )
                for one in found
            ),
        )


def describe(ctx: typer.Context, role: Role, output: Output = Form.TABLE) -> None:
    """Tell who may assume a role, which policies it has, and what bounds them."""
    show(reach(ctx).run(lambda client: client.describe_role(role)), output, role, "trust")


def update(
    ctx: typer.Context,
    role: Role,
    description: NewDescription = None,
    max_session: MaxSession = None,
    output: Output = Form.TABLE,
) -> None:
    """Change a role's description, or how long its sessions may be; what is not given stays."""
    changed = call(ctx, "UpdateRole", role=role, description=description, max_session_seconds=max_session)
    show(changed, output, role, "trust")


def trust(ctx: typer.Context, role: Role, source: sources.Source, output: Output = Form.TABLE) -> None:
    """Say anew who may assume a role."""
    document = sources.read_text(source, "trust policy")
    show(call(ctx, "UpdateAssumeRolePolicy", role=role, trust=document), output, role, "trust")


def revoke_sessions(ctx: typer.Context, role: Role) -> None:
    """End all sessions of a role that were opened until now; new ones can be opened."""
    revoked = call(ctx, "RevokeRoleSessions", role=role)
    show_lines([f"role {role}: sessions opened until {moment(revoked.sessions_revoked_ms)} are no longer good"])


def assume(
    ctx: typer.Context,
    role: Annotated[
        str, typer.Argument(help="The role's name, or in full one of another account.", show_default=False)
    ],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What the session is called in audit trails.")],
    duration: Annotated[
        int | None, typer.Option("--for", metavar="DURATION", parser=seconds, help="15m to the role's longest.")
    ] = None,
    external_id: Annotated[str | None, typer.Option(help="What the role's owner and you agreed on.")] = None,
    source: Annotated[
        str | None,
        typer.Option("--policy", metavar="SOURCE", help="A document that narrows it: @FILE, or - to read it."),
    ] = None,
    output: Output = Form.RAW,
) -> None:
    """Become a role for a while, and print the session's token, this once."""
    document = None if source is None else sources.read_text(source, "policy")
    made = call(
        ctx,
        "AssumeRole",
        role=role,
        session_name=name,
        duration_seconds=duration,
        external_id=external_id,
        document=document,
    )
    if output is Form.JSON:
        show_json(made)
    elif output is Form.RAW:
        show_bytes(made.session_token.reveal())
    else:
        told = {"role": made.role, "session": made.session_name, "expires": moment(made.expires_ms)}
        secrets = {"access key": made.access_key_id, "secret": made.access_key_secret.reveal().decode()}
        show_fields({**told, **secrets, "token": made.session_token.reveal().decode()})


def add_to(app: typer.Typer) -> None:
    """Add this group to the program."""
    group = typer.Typer(no_args_is_help=True, help="Roles: what others may become for a while.")
    create_examples = examples("secretsctl role create deployer @trust.json --max-session 2h --boundary within")
    group.command(epilog=create_examples)(create)
    group.command("list")(list_roles)
    group.command()(describe)
    group.command()(update)
    group.command(epilog=examples("secretsctl role trust deployer @trust.json"))(trust)
    group.command(epilog=examples("secretsctl role assume deployer --name build-7 --for 30m"))(assume)
    group.command("revoke-sessions", epilog=examples("secretsctl role revoke-sessions deployer"))(revoke_sessions)
    sessions.add_to(group)
    delete_command(group, "role", "Its sessions end with it; bindings that lead to it have to go first.")
    attachment_commands(group, "role")
    inline_commands(group, "role")
    boundary_commands(group, "role")
    tag_commands(group, "role")
    app.add_typer(group, name="role")
