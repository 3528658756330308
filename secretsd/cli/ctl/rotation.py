"""Rotations: start or set one up, look at it, stop its clock."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from secretsd.cli.ctl import sources
from secretsd.cli.ctl.failures import Quarantined
from secretsd.cli.ctl.output import Form, Output, described, show_fields, show_json, show_lines, show_table
from secretsd.cli.ctl.reach import reach
from secretsd.cli.ctl.stored import Name
from secretsd.cli.ctl.times import seconds
from secretsd.domain.errors import NotFound

if TYPE_CHECKING:
    from secretsd.api.secrets import RotationDescription
    from secretsd.client import Client

LOOK_EVERY_SECONDS = 0.5


def rotate(
    ctx: typer.Context,
    name: Name,
    rotator: Annotated[str | None, typer.Option(help="What makes the new value; needed the first time.")] = None,
    settings: Annotated[str | None, typer.Option(metavar="-|@FILE", help="The rotator's settings, as JSON.")] = None,
    every: Annotated[int | None, typer.Option(metavar="DURATION", parser=seconds, help="Such as 12h or 30d.")] = None,
    cron: Annotated[str | None, typer.Option(metavar="LINE", help="Five fields, such as '0 3 * * sun'.")] = None,
    time_zone: Annotated[str, typer.Option(metavar="ZONE", help="The zone of the cron line.")] = "UTC",
    jitter: Annotated[
        int | None, typer.Option(metavar="DURATION", parser=seconds, help="A random delay up to this.")
    ] = None,
    later: Annotated[bool, typer.Option("--later", help="Only set it up; the first one comes by schedule.")] = False,
    wait: Annotated[
        int | None, typer.Option(metavar="DURATION", parser=seconds, help="Wait this long for it to be done.")
    ] = None,
    output: Output = Form.TABLE,
) -> None:
    """Rotate a secret now, and set up or change how it is rotated."""
    from secretsd.api.rotation import ScheduleFields

    given: dict[str, Any] | None = None
    if settings is not None:
        given = sources.read_document(settings, "settings", dict[str, Any])
    schedule = None
    if every is not None or cron is not None:
        schedule = ScheduleFields(every_seconds=every, cron=cron, time_zone=time_zone, jitter_seconds=jitter or 0)

    async def start(client: "Client") -> "RotationDescription":
        before = None if wait is None else await _last_rotated(client, name)
        started = await client.rotate_secret(
            name, rotator=rotator, settings=given, schedule=schedule, rotate_immediately=not later
        )
        if wait is None or later:
            return started.rotation
        return await _until_rotated(client, name, before, wait)

    _show(reach(ctx).run(start), output)


async def _last_rotated(client: "Client", name: str) -> int | None:
    rotation = (await client.describe_secret(name)).rotation
    return None if rotation is None else rotation.last_rotated_ms


async def _until_rotated(client: "Client", name: str, before: int | None, wait_seconds: int) -> "RotationDescription":
    """The rotation once it has succeeded, is in quarantine, or the time is over; each look leaves its event."""
    loop = asyncio.get_running_loop()
    end = loop.time() + wait_seconds
    while True:
        rotation = await _rotation(client, name)
        done = rotation.state == "quarantined" or (rotation.state == "idle" and rotation.last_rotated_ms != before)
        if done or loop.time() >= end:
            return rotation
        await asyncio.sleep(LOOK_EVERY_SECONDS)


async def _rotation(client: "Client", name: str) -> "RotationDescription":
    rotation = (await client.describe_secret(name)).rotation
    if rotation is None:
        raise NotFound(f"cannot find a rotation of secret {name}")
    return rotation


def status(ctx: typer.Context, name: Name, output: Output = Form.TABLE) -> None:
    """Tell where a rotation stands; the exit code is 6 when it is in quarantine."""
    _show(reach(ctx).run(lambda client: _rotation(client, name)), output)


def cancel(ctx: typer.Context, name: Name, output: Output = Form.TABLE) -> None:
    """Stop the clock of a rotation; its settings stay."""
    _show(reach(ctx).run(lambda client: client.cancel_rotate_secret(name)).rotation, output)


def rotators(ctx: typer.Context, output: Output = Form.TABLE) -> None:
    """List what can make new values on this host; -o json shows the schema of their settings."""
    found = reach(ctx).run(lambda client: client.list_rotators()).rotators
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(one.name for one in found)
    else:
        show_table(("rotator", "what it does"), ((one.name, one.summary) for one in found))


def _show(rotation: "RotationDescription", output: Form) -> None:
    if output is Form.JSON:
        show_json(rotation)
    elif output is Form.RAW:
        show_lines([rotation.state])
    else:
        show_fields(described(rotation))
    if rotation.state == "quarantined":
        raise Quarantined(f"cannot go on with the rotation by {rotation.rotator}: it is in quarantine")


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command()(rotate)
    group = typer.Typer(no_args_is_help=True, help="Rotations of secrets.")
    for command in (rotators, status, cancel):
        group.command()(command)
    app.add_typer(group, name="rotation")
