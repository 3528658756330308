"""Sessions of roles: becoming a role for a while, and who did."""

from typing import TYPE_CHECKING, Annotated

import typer

from secretsd.cli.ctl import sources
from secretsd.cli.ctl.key_arguments import examples
from secretsd.cli.ctl.output import Form, Output, moment, show_bytes, show_fields, show_json, show_lines, show_table
from secretsd.cli.ctl.reach import reach
from secretsd.cli.ctl.times import seconds

if TYPE_CHECKING:
    from secretsd.api.sessions import SessionDescription
    from secretsd.client import Client

Role = Annotated[
    str, typer.Argument(help="The role's name, or in full: secretsd:ACCOUNT:role/NAME.", show_default=False)
]


def assume(
    ctx: typer.Context,
    role: Role,
    name: Annotated[str, typer.Option("--name", help="What auditors find the session by.", show_default=False)],
    duration: Annotated[
        int | None, typer.Option(metavar="DURATION", parser=seconds, help="How long, 15m to 12h. [default: 1h]")
    ] = None,
    external_id: Annotated[str | None, typer.Option(help="What the role's owner agreed on with you.")] = None,
    policy: Annotated[
        str | None, typer.Option(metavar="-|@FILE", help="A policy that bounds what the session may do.")
    ] = None,
    output: Output = Form.RAW,
) -> None:
    """Become a role for a while: print a session token, this once; keep it in a file of mode 0600 for --token-file."""
    bounds = None if policy is None else sources.read_text(policy, "policy")
    made = reach(ctx).run(
        lambda client: client.assume_role(
            role, session_name=name, duration_seconds=duration, external_id=external_id, session_policy=bounds
        )
    )
    if output is Form.JSON:
        show_json(made)
    elif output is Form.RAW:
        show_bytes(made.session_token.reveal())
    else:
        show_fields(
            {
                "role": made.role,
                "session_name": made.session_name,
                "access_key": made.access_key,
                "secret": made.secret.reveal().decode(),
                "session_token": made.session_token.reveal().decode(),
                "expires": moment(made.expires_ms),
            }
        )


def list_sessions(ctx: typer.Context, role: Role, output: Output = Form.TABLE) -> None:
    """List the sessions of a role that are good, who opened them, and when each was used last."""
    from secretsd.api.sessions import ListRoleSessionsRequest, ListRoleSessionsResponse

    async def collect(client: "Client") -> "list[SessionDescription]":
        pages = client.pages("ListRoleSessions", ListRoleSessionsRequest(role=role), ListRoleSessionsResponse)
        return [one async for page in pages for one in page.sessions]

    found = reach(ctx).run(collect)
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(one.access_key for one in found)
    else:
        show_table(
            ("session", "name", "opened by", "created", "expires", "last used", "only"),
            (
                (
                    one.access_key,
                    one.session_name,
                    one.opened_by,
                    moment(one.created_ms),
                    moment(one.expires_ms),
                    moment(one.last_used_ms) or "never",
                    f"from {one.network}" if one.network else "",
                )
                for one in found
            ),
        )


def add_to(group: typer.Typer) -> None:
    """Add these commands to those on roles."""
    group.command(
        epilog=examples(
            "secretsctl role assume deployer --name build-7 --duration 30m > session && chmod 600 session",
            "secretsctl role assume secretsd:123456789012:role/vendor --name support --external-id contract-1",
        )
    )(assume)
    group.command("sessions", epilog=examples("secretsctl role sessions deployer"))(list_sessions)
