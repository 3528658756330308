"""Bearer tokens of users."""

from typing import TYPE_CHECKING, Annotated

import typer

from secretsd.cli.ctl.holders import call
from secretsd.cli.ctl.output import Form, Output, moment, show_bytes, show_fields, show_json, show_lines, show_table
from secretsd.cli.ctl.reach import reach
from secretsd.cli.ctl.times import seconds

if TYPE_CHECKING:
    from secretsd.api.tokens import TokenDescription
    from secretsd.client import Client

User = Annotated[str, typer.Argument(help="The user's name.", show_default=False)]


def create_token(
    ctx: typer.Context,
    user: User,
    ttl: Annotated[
        int | None, typer.Option(metavar="DURATION", parser=seconds, help="How long it is good, such as 30d.")
    ] = None,
    output: Output = Form.RAW,
) -> None:
    """Make a bearer token and print it, this once; keep it in a file of mode 0600 for --token-file."""
    made = reach(ctx).run(lambda client: client.create_token(user, ttl_seconds=ttl))
    if output is Form.JSON:
        show_json(made)
    elif output is Form.RAW:
        show_bytes(made.token.reveal())
    else:
        show_fields({"id": made.id, "token": made.token.reveal().decode(), "expires": moment(made.expires_ms)})


def create_enrolment_token(
    ctx: typer.Context,
    user: User,
    ttl: Annotated[
        int | None,
        typer.Option(metavar="DURATION", parser=seconds, help="How long it waits, an hour at most; 10m if not said."),
    ] = None,
    token_ttl: Annotated[
        int | None,
        typer.Option(metavar="DURATION", parser=seconds, help="How long the host's token is good; 90d if not said."),
    ] = None,
    network: Annotated[
        str | None, typer.Option(metavar="ADDRESSES", help="Where the host is, such as 192.0.2.0/24: good from there.")
    ] = None,
    output: Output = Form.RAW,
) -> None:
    """Make a token that one host turns into one of its own by `secretsctl enrol`, and print it, this once."""
    made = call(ctx, "CreateEnrolmentToken", user=user, ttl_seconds=ttl, token_seconds=token_ttl, network=network)
    if output is Form.JSON:
        show_json(made)
    elif output is Form.RAW:
        show_bytes(made.token.reveal())
    else:
        show_fields({"id": made.id, "token": made.token.reveal().decode(), "expires": moment(made.expires_ms)})


def list_tokens(ctx: typer.Context, user: User, output: Output = Form.TABLE) -> None:
    """List a user's tokens, without what proves them; uses of one that was got for an access key count as the key's."""
    from secretsd.api.tokens import ListTokensRequest, ListTokensResponse

    async def collect(client: "Client") -> "list[TokenDescription]":
        pages = client.pages("ListTokens", ListTokensRequest(user=user), ListTokensResponse)
        return [one async for page in pages for one in page.tokens]

    found = reach(ctx).run(collect)
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(one.id for one in found)
    else:
        show_table(
            ("token", "created", "expires", "last used", "access key", "only"),
            (
                (
                    one.id,
                    moment(one.created_ms),
                    moment(one.expires_ms) or "never",
                    moment(one.last_used_ms) or ("" if one.access_key else "never"),
                    one.access_key or "",
                    " ".join((*["to enrol"] * one.enrolment, *([f"from {one.network}"] if one.network else []))),
                )
                for one in found
            ),
        )


def delete_token(
    ctx: typer.Context,
    user: User,
    token: Annotated[str, typer.Argument(metavar="ID", help="The token's id, not the token.", show_default=False)],
) -> None:
    """End a token, at once."""
    reach(ctx).run(lambda client: client.delete_token(user, id=token))
    show_lines([f"{user}: token {token} is no longer good"])


def add_to(group: typer.Typer) -> None:
    """Add these commands to those on users."""
    tokens = typer.Typer(no_args_is_help=True, help="Bearer tokens of users.")
    tokens.command("create")(create_token)
    tokens.command("enrolment")(create_enrolment_token)
    tokens.command("list")(list_tokens)
    tokens.command("delete")(delete_token)
    group.add_typer(tokens, name="token")
