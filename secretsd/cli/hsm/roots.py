"""The root of this host: made, renewed, used, destroyed, and how it stands."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from secretsd.api.root_keys import DescribeRootKeysResponse
from secretsd.cli.host import AskPin, Config, PinFd, end, make_root_to, reserve
from secretsd.cli.hsm.app import (
    NoRecovery,
    RecoveryPublicKey,
    SoPinFd,
    SoPinFile,
    app,
    ceremonies,
    local,
    public_key_of,
    so_pin_of,
    write_document,
)
from secretsd.client.errors import ClientError
from secretsd.domain.errors import SecretsdError
from secretsd.domain.key_import import TOKEN_SECONDS
from secretsd.settings import DEFAULT_CONFIG, Settings
from secretsd.supervisor.ceremony import CeremonyFailed
from secretsd.supervisor.initialise import CannotInitialise

Generation = Annotated[int, typer.Argument(help="The number of the generation, as `secretsd hsm status` tells it.")]


@app.command()
def init(
    config: Config = DEFAULT_CONFIG,
    recovery_public_key: RecoveryPublicKey = None,
    no_recovery: NoRecovery = False,
    output: Annotated[Path, typer.Option(help="Where recovery wrap and SO PIN go; take them off this host.")] = Path(
        "secretsd-recovery.json"
    ),
    pin_fd: PinFd = None,
    ask_pin: AskPin = False,
) -> None:
    """Make the token and the first root alone; `secretsd init` makes the first account then."""
    public_key_of(recovery_public_key, no_recovery, "make the root")
    held = ceremonies(config, pin_fd, ask_pin)
    try:
        check = make_root_to(held.settings, held.identities, held.pin, recovery_public_key, output)
    except (CannotInitialise, OSError) as error:
        end(str(error))
    typer.echo(f"made generation 1 of the root; check value {check}")
    typer.echo(f"take {output} off this host, then run secretsd init")


@app.command()
def status(config: Config = DEFAULT_CONFIG, pin_fd: PinFd = None, ask_pin: AskPin = False) -> None:
    """Tell of every generation of the root: whether it wraps, its check value, and what is still wrapped by it."""
    held = ceremonies(config, pin_fd, ask_pin)
    listed = _held(held, "roots")
    stored = _stored(held.settings)
    left = {root.kek_id: root.key_versions for root in stored.roots} if stored else {}
    absent = {root.kek_id: root.absent_versions for root in stored.roots} if stored else {}
    for root in listed["roots"]:
        kek_id = root["kek_id"]
        typer.echo(f"generation {root['generation']}  {kek_id}  {_state(root, listed['current'])}")
        if check := listed["checks"].get(kek_id):
            typer.echo(f"  check value {check}")
        if kek_id == listed["storage_key"]:
            typer.echo("  the storage key is sealed under it")
        if (count := left.get(kek_id)) is not None and root["destroyed_ms"] is None:
            typer.echo(f"  {count} stored key versions are still wrapped by it")
        if (away := absent.get(kek_id)) and root["destroyed_ms"] is None:
            typer.echo(f"  {away} imported keys whose material is away are known again by it alone")
    if stored is None:
        typer.echo("what storage holds is not known: the daemon does not answer")


@app.command("rotate-root")
def rotate_root(
    config: Config = DEFAULT_CONFIG,
    recovery_public_key: RecoveryPublicKey = None,
    no_recovery: NoRecovery = False,
    output: Annotated[Path, typer.Option(help="Where the recovery wrap goes; take it off this host.")] = Path(
        "secretsd-recovery-next.json"
    ),
    hold: Annotated[bool, typer.Option(help="It wraps nothing before `use-root`: another node must have it first.")] = (
        False
    ),
    so_pin_fd: SoPinFd = None,
    so_pin_file: SoPinFile = None,
    pin_fd: PinFd = None,
    ask_pin: AskPin = False,
) -> None:
    """Make a new generation of the root. The daemon goes on, and moves every key to it by and by."""
    choice = public_key_of(recovery_public_key, no_recovery, "make a new root")
    held = ceremonies(config, pin_fd, ask_pin)
    so_pin = so_pin_of(so_pin_fd, so_pin_file)
    if not no_recovery:
        reserve(output)
    try:
        made = held.hold("rotate-root", so_pin=so_pin, hold=hold, **choice)
    except CeremonyFailed as error:
        if not no_recovery:
            output.unlink(missing_ok=True)
        end(str(error))
    root = made["root"]
    if not no_recovery:
        write_document(output, {"kek_id": root["kek_id"], "recovery": made["recovery"]})
        typer.echo(f"take {output} off this host: it holds the recovery wrap of this generation")
    typer.echo(f"made generation {root['generation']} of the root; check value {made['check']}")
    typer.echo(
        "held: it wraps nothing until secretsd hsm use-root" if hold else "secretsd hsm status tells what is left"
    )


@app.command("use-root")
def use_root(
    generation: Generation, config: Config = DEFAULT_CONFIG, pin_fd: PinFd = None, ask_pin: AskPin = False
) -> None:
    """Let a generation that was held wrap from now on."""
    _held(ceremonies(config, pin_fd, ask_pin), "use-root", generation=generation)
    typer.echo(f"generation {generation} wraps from now on")


@app.command("destroy-root")
def destroy_root(
    generation: Generation,
    config: Config = DEFAULT_CONFIG,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    give_up_imports: Annotated[
        bool, typer.Option(help="Though imported material that is away can then never come back.")
    ] = False,
    pin_fd: PinFd = None,
    ask_pin: AskPin = False,
) -> None:
    """Destroy a generation that wraps nothing any more, and with it all that backups hold under it."""
    held = ceremonies(config, pin_fd, ask_pin)
    stored = _stored(held.settings)
    if stored is None:
        end(f"cannot destroy generation {generation}: the daemon does not answer, so nobody knows what it still wraps")
    _require_unused(stored, generation, give_up_imports)
    if not yes:
        typer.confirm(
            f"Destroy generation {generation} for good? No backup of the storage from before it was replaced can be "
            f"restored then. Have a backup from after that.{_imports_under_way(stored, generation)}",
            abort=True,
        )
    listed = _held(held, "destroy-root", generation=generation)
    gone = next(root for root in listed["roots"] if root["generation"] == generation)
    typer.echo(f"destroyed generation {generation} at {_moment(gone['destroyed_ms'])}")
    typer.echo(
        "Keys that were destroyed before, and wrapped by no later generation, are erased from all backups from now on, "
        "once its recovery wraps and its copies on other tokens are destroyed as well: nobody can see those from here."
    )


def _imports_under_way(stored: DescribeRootKeysResponse, generation: int) -> str:
    """A warning for as long as an import may be under way whose key pair this generation wraps: storage holds none."""
    # One that was held wraps only since it was used: until then key pairs were still made under the older one.
    later = [root.used_ms or root.made_ms for root in stored.roots if root.generation > generation and not root.held]
    until_ms = min(later, default=0) + TOKEN_SECONDS * 1000
    if until_ms < time.time() * 1000:
        return ""
    return f" Imports that were begun under it cannot be finished then; by {_moment(until_ms)} none is left."


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _require_unused(stored: DescribeRootKeysResponse, generation: int, give_up_imports: bool = False) -> None:
    found = [root for root in stored.roots if root.generation == generation and root.destroyed_ms is None]
    if not found:
        end(f"cannot destroy generation {generation}: the key store has none such")
    if found[0].wraps or found[0].key_versions is None:
        end(f"cannot destroy generation {generation}: it is the one that wraps now")
    if found[0].key_versions:
        end(f"cannot destroy generation {generation}: {found[0].key_versions} stored key versions are wrapped by it")
    if (away := found[0].absent_versions) and not give_up_imports:
        end(
            f"cannot destroy generation {generation}: {away} imported keys whose material is away are known again by "
            "it alone; have the material imported again, or the keys deleted, or give them up (--give-up-imports)"
        )
    if stored.escrowed:
        end(f"cannot destroy generation {generation}: {stored.escrowed} candidates in the escrow may need it")


def _held(held: Any, command: str, **further: Any) -> dict[str, Any]:
    try:
        return dict(held.hold(command, **further))
    except CeremonyFailed as error:
        end(str(error))


def _stored(settings: Settings) -> DescribeRootKeysResponse | None:
    """What the daemon knows of it; None where it does not answer."""
    import asyncio

    from secretsd.client import Client

    async def asked() -> DescribeRootKeysResponse:
        async with Client(socket=local(settings), deadline_seconds=60.0) as client:
            return await client.describe_root_keys()

    try:
        return asyncio.run(asked())
    except (ClientError, SecretsdError) as error:
        typer.echo(str(error), err=True)
        return None


def _state(root: dict[str, Any], current: str) -> str:
    if root["destroyed_ms"] is not None:
        return "destroyed"
    if root["kek_id"] == current:
        return "wraps, and can never be renewed" if root["fixed"] else "wraps"
    return "held" if root["held"] else "opens what it wrapped"
