"""`secretsd`: initialise, serve, check, and everything in one command for development."""

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from secretsd import __version__
from secretsd.settings import DEFAULT_CONFIG, BadSettings, Settings, load
from secretsd.supervisor import check as checks
from secretsd.supervisor import dev as development
from secretsd.supervisor.identities import NoSuchUser, prepare_escrow, resolve, write_private
from secretsd.supervisor.initialise import (
    CannotInitialise,
    hold,
    invoking_uids,
    is_initialised,
    make_first_account,
    make_root,
)
from secretsd.supervisor.pin import NoPIN, read_pin
from secretsd.supervisor.processes import ROLES, children
from secretsd.supervisor.supervisor import Supervisor

CONFIGURATION_FAULT = 78

app = typer.Typer(
    name="secretsd", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, help=__doc__
)
Config = Annotated[Path, typer.Option("--config", help="The configuration, secretsd.yaml.")]
PinFd = Annotated[int | None, typer.Option("--pin-fd", help="Read the PIN from this descriptor.")]
AskPin = Annotated[bool, typer.Option("--ask-pin", help="Ask for the PIN.")]


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
    settings = _settings(config)
    roles = tuple(only or ROLES)
    if not set(roles) <= set(ROLES):
        _end("cannot serve: --only is keystore, rotator or worker")
    if not is_initialised(settings):
        _end(f"cannot serve: {settings.state_dir} is not initialised; run secretsd init")
    try:
        hold(settings)
        identities = resolve(settings.users, roles)
        if "worker" in roles:
            prepare_escrow(settings, identities)
        pin = _pin(settings, pin_fd, ask_pin) if "keystore" in roles else None
    except (CannotInitialise, NoSuchUser, NoPIN) as error:
        _end(str(error))
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
    """Make the root keys in the HSM, the first account, and an administrator: uid 0 and whoever runs this."""
    settings = _settings(config)
    if (recovery_public_key is None) == (not no_recovery):
        _end("cannot initialise: give either --recovery-public-key FILE or --no-recovery")
    try:
        identities = resolve(settings.users)
        pin = _pin(settings, pin_fd, ask_pin)
        public_key = recovery_public_key.read_text() if recovery_public_key else None
        _reserve(output)
        try:
            made = make_root(settings, identities, pin, public_key)
        except BaseException:
            output.unlink(missing_ok=True)
            raise
        document = checks.recovery_document(made.kek_id, made.so_pin, made.recovery)
        write_private(output, document, None)
        make_first_account(settings, identities, pin, invoking_uids(), f"unix:uid/{os.getuid()}")
    except (NoSuchUser, NoPIN, CannotInitialise, OSError) as error:
        _end(str(error))
    bound = ", ".join(f"uid {uid}" for uid in sorted({0, *invoking_uids()}))
    typer.echo(f"initialised {settings.state_dir}; administrator: {bound}")
    typer.echo(f"take {output} off this host: it holds the SO PIN{' and the recovery wrap' if public_key else ''}")


@app.command()
def check(config: Config = DEFAULT_CONFIG, pin_fd: PinFd = None, ask_pin: AskPin = False) -> None:
    """Tell all that is wrong with configuration and host, at once."""
    try:
        settings = load(config)
    except BadSettings as error:
        problems = error.problems
    except OSError as error:
        problems = [f"cannot read {config}: {error.strerror}"]
    else:
        problems = checks.problems(settings, os.environ.get("CREDENTIALS_DIRECTORY"), pin_fd, ask_pin)
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        raise typer.Exit(1)
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
        _end(str(error))


@app.command()
def version() -> None:
    """The release."""
    typer.echo(__version__)


def _settings(config: Path) -> Settings:
    try:
        return load(config)
    except BadSettings as error:
        _end(str(error))
    except OSError as error:
        _end(f"cannot read {config}: {error.strerror}")


def _reserve(output: Path) -> None:
    """Make the file before there is anything to lose: what goes into it is made once and is nowhere else."""
    try:
        os.close(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        _end(f"cannot write {output}: it exists already")
    except OSError as error:
        _end(f"cannot write {output}: {error.strerror}")


def _pin(settings: Settings, fd: int | None, prompt: bool) -> str:
    return read_pin(settings.keystore.pin_file, os.environ.get("CREDENTIALS_DIRECTORY"), fd, prompt)


def _end(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    sys.exit(CONFIGURATION_FAULT)


if __name__ == "__main__":
    main()
