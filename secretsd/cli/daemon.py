"""`secretsd`: initialise, serve, check, and everything in one command for development."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from secretsd import __version__
from secretsd.cli import hsm, hsm_matrix, recovery
from secretsd.cli.ctl.output import Form
from secretsd.cli.host import AskPin, Config, PinFd, end, make_root_to, pin_of, settings_of
from secretsd.settings import DEFAULT_CONFIG, BadSettings, load
from secretsd.supervisor import certificates
from secretsd.supervisor import check as checks
from secretsd.supervisor import dev as development
from secretsd.supervisor.identities import NoSuchUser, prepare_escrow, resolve
from secretsd.supervisor.initialise import (
    CannotInitialise,
    has_root,
    hold,
    invoking_uids,
    is_initialised,
    make_first_account,
    mark_initialised,
)
from secretsd.supervisor.pin import NoPIN
from secretsd.supervisor.processes import ROLES, children
from secretsd.supervisor.supervisor import Supervisor

app = typer.Typer(
    name="secretsd", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, help=__doc__
)
app.add_typer(hsm.app, name="hsm")
app.command()(recovery.recover_admin)


def main() -> None:
    """The console command."""
    app()


@app.command()
def serve(
    config: Config = DEFAULT_CONFIG,
    only: Annotated[list[str] | None, typer.Option("--only", help="keystore, rotator or worker; else all.")] = None,
    pin_fd: PinFd = None,
    ask_pin: AskPin = False,
) -> None:
    """Serve until told to stop. Processes that are not started here are expected at their sockets."""
    settings = settings_of(config)
    roles = tuple(only or ROLES)
    if not set(roles) <= set(ROLES):
        end("cannot serve: --only is keystore, rotator or worker")
    if not is_initialised(settings):
        end(f"cannot serve: {settings.state_dir} is not initialised; run secretsd init")
    try:
        hold(settings)
        identities = resolve(settings.users, roles)
        if "worker" in roles:
            prepare_escrow(settings, identities)
        pin = pin_of(settings, pin_fd, ask_pin) if "keystore" in roles else None
    except (CannotInitialise, NoSuchUser, NoPIN) as error:
        end(str(error))
    if "worker" in roles:
        placed = certificates.placed(settings, os.environ.get("CREDENTIALS_DIRECTORY"))
        if problems := certificates.problems(placed.http, identities.worker):
            end("\n".join(problems))
        for note in checks.notes():
            typer.echo(f"note: {note}", err=True)
    Path(settings.runtime_dir).mkdir(mode=0o711, parents=True, exist_ok=True)
    names = [name for name in os.environ.get("LISTEN_FDNAMES", "").split(":") if name]
    specs = children(settings, identities, pin, roles=roles, inherited=names)
    raise typer.Exit(Supervisor(specs).run())


@app.command()
def init(
    config: Config = DEFAULT_CONFIG,
    recovery_public_key: Annotated[
        Path | None, typer.Option(help="RSA public key (PEM, 3072 bits or more) that the root is wrapped for.")
    ] = None,
    no_recovery: Annotated[bool, typer.Option(help="Go without a recovery: a lost token is then lost data.")] = False,
    output: Annotated[Path, typer.Option(help="Where recovery wrap and SO PIN go; take them off this host.")] = Path(
        "secretsd-recovery.json"
    ),
    pin_fd: PinFd = None,
    ask_pin: AskPin = False,
) -> None:
    """Make the root keys in the HSM, the first account, and an administrator: uid 0 and whoever runs this.

    Where `secretsd hsm` has put a root in place already, only the rest is done, and there is no choice of a recovery.
    """
    settings = settings_of(config)
    rooted = has_root(settings) and not is_initialised(settings)
    if rooted and (recovery_public_key is not None or no_recovery):
        end("cannot initialise: the root is there already, and so is the choice of its recovery")
    if not rooted and (recovery_public_key is None) == (not no_recovery):
        end("cannot initialise: give either --recovery-public-key FILE or --no-recovery")
    try:
        identities = resolve(settings.users)
        pin = pin_of(settings, pin_fd, ask_pin)
        if not rooted:
            make_root_to(settings, identities, pin, recovery_public_key, output)
        make_first_account(settings, identities, pin, invoking_uids(), f"unix:uid/{os.getuid()}")
        mark_initialised(settings)
    except (NoSuchUser, NoPIN, CannotInitialise, OSError) as error:
        end(str(error))
    bound = ", ".join(f"uid {uid}" for uid in sorted({0, *invoking_uids()}))
    typer.echo(f"initialised {settings.state_dir}; administrator: {bound}")
    if not rooted:
        what = "the SO PIN and the recovery wrap" if recovery_public_key else "the SO PIN"
        typer.echo(f"take {output} off this host: it holds {what}")


@app.command()
def check(
    config: Config = DEFAULT_CONFIG,
    pin_fd: PinFd = None,
    ask_pin: AskPin = False,
    hsm_too: Annotated[bool, typer.Option("--hsm", help="Also tell what the HSM can do, key by key.")] = False,
    form: Annotated[Form, typer.Option("--output", "-o", help="How --hsm tells it: table or json.")] = Form.TABLE,
) -> None:
    """Tell all that is wrong with configuration and host, at once."""
    report: dict[str, Any] = {}
    try:
        settings = load(config)
    except BadSettings as error:
        problems = error.problems
    except OSError as error:
        problems = [f"cannot read {config}: {error.strerror}"]
    else:
        problems = checks.problems(settings, os.environ.get("CREDENTIALS_DIRECTORY"), pin_fd, ask_pin, report)
    if hsm_too and report:
        hsm_matrix.show(report, form)
    for line in (*problems, *(f"note: {note}" for note in checks.notes())):
        typer.echo(line, err=True)
    if problems:
        raise typer.Exit(1)
    if not hsm_too or form is Form.TABLE:
        typer.echo("all is well")


@app.command()
def dev(
    state_dir: Annotated[Path, typer.Option("--state-dir", help="Kept for the next start.")],
    listen: Annotated[str, typer.Option("--listen", help="Loopback address and port; 0 takes any.")] = "127.0.0.1:8280",
    socket: Annotated[Path | None, typer.Option("--socket", help="Unix socket; else DIR/secretsd.sock.")] = None,
) -> None:
    """Everything in one command: SoftHSM token, SQLite, an administrator whose token stands in DIR/admin.env."""
    try:
        raise typer.Exit(development.run(state_dir.absolute(), listen, socket))
    except (BadSettings, CannotInitialise, NoPIN, NoSuchUser, OSError) as error:
        end(str(error))


@app.command()
def version() -> None:
    """The release."""
    typer.echo(__version__)


if __name__ == "__main__":
    main()
