"""`secretsd recover-admin`: an administrator where all others are lost, made through the daemon's own Unix socket."""

import asyncio
import os
from typing import TYPE_CHECKING, Annotated

import typer

from secretsd.cli.ctl.output import moment, show_bytes
from secretsd.cli.host import Config, end, settings_of
from secretsd.domain.errors import SecretsdError, Unauthenticated
from secretsd.settings import DEFAULT_CONFIG

if TYPE_CHECKING:
    from secretsd.api.accounts import RecoverAdministratorResponse


def recover_admin(
    config: Config = DEFAULT_CONFIG,
    account: Annotated[
        str | None, typer.Option(help="The account, by its number; needed where there are several.")
    ] = None,
    operator: Annotated[
        bool, typer.Option("--operator", help="Let him do the operator's work as well: everything in account system.")
    ] = False,
    lift_policy: Annotated[
        str | None,
        typer.Option(help="Also take away the policy of this secret/NAME or key/ID, which denies everybody."),
    ] = None,
) -> None:
    """Make a new administrator where the others are lost, and print a token of his that is good for an hour.

    For root of the daemon's host alone, whatever is stored. It is an event in the account's audit view and in the
    operator's, and a critical line in the daemon's log.
    """
    settings = settings_of(config)
    if os.geteuid() != 0:
        end("cannot recover an administrator: only root of the daemon's host does that")

    async def recovered() -> "RecoverAdministratorResponse":
        from secretsd.client import Client

        async with Client(socket=settings.unix.path) as client:
            return await client.recover_administrator(account=account, operator=operator, lift_policy=lift_policy)

    try:
        made = asyncio.run(recovered())
    except Unauthenticated:
        end(
            "cannot recover an administrator: the daemon does not see root of its own host here; run this outside of "
            "containers, in the daemon's own pid namespace"
        )
    except SecretsdError as error:
        end(error.message)
    typer.echo(f"made user {made.user} an administrator of account {made.account}", err=True)
    typer.echo(f"his token is good until {moment(made.expires_ms)}: bind what proves him, then delete it", err=True)
    show_bytes(made.token.reveal())
