"""secretsctl, the command for people and scripts: puts its parts together and turns errors into exit codes."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from secretsd.cli.ctl import (
    accounts,
    aliases,
    audit,
    bindings,
    certificate_authorities,
    encryption,
    enrolment,
    everyday,
    generic,
    grants,
    groups,
    keys,
    policies,
    proof_spaces,
    resource_policies,
    roles,
    rotation,
    stored,
    targets,
    token_issuers,
    users,
    watching,
)
from secretsd.cli.ctl.failures import FAILED, explain_output, explain_usage, report
from secretsd.cli.ctl.reach import Reach
from secretsd.domain.errors import SecretsdError

PROGRAM = "secretsctl"


def start(
    ctx: typer.Context,
    socket: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="The daemon's Unix socket. [default: /run/secretsd/secretsd.sock]"),
    ] = None,
    addr: Annotated[
        str | None, typer.Option(metavar="URL", help="The daemon's address instead, such as http://127.0.0.1:8200.")
    ] = None,
    token_file: Annotated[
        str | None, typer.Option(metavar="PATH", help="A file of mode 0600 that holds a bearer token.")
    ] = None,
    ca_file: Annotated[
        str | None, typer.Option(metavar="PATH", help="Whom to trust over https, in PEM. [default: as the host does]")
    ] = None,
    client_certificate: Annotated[
        str | None, typer.Option(metavar="PATH", help="The certificate that proves who you are over https, in PEM.")
    ] = None,
    client_key: Annotated[
        str | None, typer.Option(metavar="PATH", help="Its key. [default: in the certificate's file]")
    ] = None,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", min=0.1, help="How long one call may take.")] = 10.0,
) -> None:
    """Secrets and keys of a secretsd daemon.

    Without options the environment says where the daemon is (SECRETSD_SOCKET or SECRETSD_ADDR, and SECRETSD_TOKEN;
    over https also SECRETSD_CA_FILE, SECRETSD_CLIENT_CERTIFICATE and SECRETSD_CLIENT_KEY).
    Values come from standard input (-) or from a file (@FILE), never from the command line.

    Exit codes: 0 done, 1 failed, 3 not found, 4 denied, 5 key store away, 6 rotation in quarantine.
    """
    ctx.obj = Reach(socket, addr, token_file, timeout, ca_file, client_certificate, client_key)


def application() -> typer.Typer:
    """All commands. Nothing shows local variables in a traceback: they could hold values."""
    app = typer.Typer(
        name=PROGRAM, no_args_is_help=True, pretty_exceptions_enable=False, pretty_exceptions_show_locals=False
    )
    app.callback()(start)
    for part in (stored, watching, everyday, enrolment, encryption, rotation, generic):
        part.add_to(app)
    for group in (keys, aliases, users, groups, roles, policies, resource_policies, grants):
        group.add_to(app)
    for group in (bindings, proof_spaces, certificate_authorities, token_issuers, accounts, targets, audit):
        group.add_to(app)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code. Usage errors are 1, because 2 is a plan that has changes."""
    command = typer.main.get_command(application())
    try:
        code = command.main(list(arguments), prog_name=PROGRAM, standalone_mode=False)
        sys.stdout.flush()
    except SecretsdError as error:
        return report(error)
    except typer.Abort:
        sys.stderr.write("secretsctl: stopped\n")
        return FAILED
    except typer.TyperException as error:
        return explain_usage(error)
    except OSError as error:
        # The reader has gone, or the disk is full. What is still in the buffer fares no better: Python must not try.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED if isinstance(error, BrokenPipeError) else explain_output(error)
    return code if isinstance(code, int) else 0


def main() -> None:
    """The installed command."""
    sys.exit(run(sys.argv[1:]))
