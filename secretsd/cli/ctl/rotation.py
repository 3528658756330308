"""Rotations: start or set one up, stop its clock, lead it back, take it up again."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from secretsd.cli.ctl import rotation_views, sources
from secretsd.cli.ctl.failures import Quarantined
from secretsd.cli.ctl.output import Form, Output, described, show_fields, show_json, show_lines, show_table
from secretsd.cli.ctl.reach import reach
from secretsd.cli.ctl.stored import Name
from secretsd.cli.ctl.times import Window, seconds, window
from secretsd.client.errors import ClientError
from secretsd.domain.errors import NotFound

if TYPE_CHECKING:
    from secretsd.api.rotation import ScheduleFields
    from secretsd.api.secrets import RotationDescription
    from secretsd.client import Client

LOOK_EVERY_SECONDS = 0.5


def rotate(
    ctx: typer.Context,
    name: Name,
    rotator: Annotated[str | None, typer.Option(help="What makes the new value; needed the first time.")] = None,
    settings: Annotated[str | None, typer.Option(metavar="-|@FILE", help="The rotator's settings, as JSON.")] = None,
    target: Annotated[str | None, typer.Option(help="The target, where the rotator needs one.")] = None,
    login: Annotated[
        list[str] | None, typer.Option(help="The login there; given again, the second of two that take turns.")
    ] = None,
    grace: Annotated[
        int | None, typer.Option(metavar="DURATION", parser=seconds, help="How long a replaced value stays good.")
    ] = None,
    every: Annotated[int | None, typer.Option(metavar="DURATION", parser=seconds, help="Such as 12h or 30d.")] = None,
    cron: Annotated[str | None, typer.Option(metavar="LINE", help="Five fields, such as '0 3 * * sun'.")] = None,
    by_hand: Annotated[bool, typer.Option("--by-hand", help="No rhythm: only when somebody asks for it.")] = False,
    windows: Annotated[
        list[Window] | None,
        typer.Option(
            "--window",
            metavar="DAYS TIME-TIME",
            parser=window,
            help="When it may begin, such as 'sat,sun 02:00-05:00'; may be given again.",
        ),
    ] = None,
    time_zone: Annotated[str, typer.Option(metavar="ZONE", help="The zone of cron line and windows.")] = "UTC",
    jitter: Annotated[
        int | None, typer.Option(metavar="DURATION", parser=seconds, help="A random delay up to this.")
    ] = None,
    later: Annotated[
        bool, typer.Option("--later", help="Only set it up: a value that is there is taken over as it is.")
    ] = False,
    wait: Annotated[
        int | None, typer.Option(metavar="DURATION", parser=seconds, help="Wait this long for it to be done.")
    ] = None,
    output: Output = Form.TABLE,
) -> None:
    """Rotate a secret now, and set up or change how it is rotated. A new schedule takes the place of the one before."""
    schedule = _schedule(every, cron, by_hand, windows or [], time_zone, jitter)
    given: dict[str, Any] | None = None
    if settings is not None:
        given = sources.read_document(settings, "settings", dict[str, Any])

    async def start(client: "Client") -> "RotationDescription":
        before = None if wait is None else await _last_rotated(client, name)
        started = await client.rotate_secret(
            name,
            rotator=rotator,
            settings=given,
            target=target,
            logins=tuple(login) if login else None,
            schedule=schedule,
            grace_seconds=grace,
            rotate_immediately=not later,
        )
        if wait is None or later:
            return started.rotation
        return await _until_rotated(client, name, before, wait)

    _show(name, reach(ctx).run(start), output)


def _schedule(
    every: int | None, cron: str | None, by_hand: bool, windows: list[Window], time_zone: str, jitter: int | None
) -> "ScheduleFields | None":
    """The schedule that the options say, None where they say nothing of one."""
    from secretsd.api.rotation import ScheduleFields, WindowFields

    if every is None and cron is None:
        if windows or jitter is not None:
            raise ClientError("cannot set up windows or jitter alone: say --every or --cron as well")
        return ScheduleFields() if by_hand else None
    if by_hand:
        raise ClientError("cannot set up a rhythm for a rotation by hand: leave out --by-hand, or --every and --cron")
    return ScheduleFields(
        every_seconds=every,
        cron=cron,
        time_zone=time_zone,
        jitter_seconds=jitter or 0,
        windows=tuple(WindowFields(days=one.days, start=one.start, minutes=one.minutes) for one in windows),
    )


async def _last_rotated(client: "Client", name: str) -> int | None:
    rotation = (await client.describe_secret(name)).rotation
    return None if rotation is None else rotation.last_rotated_ms


async def _until_rotated(client: "Client", name: str, before: int | None, wait_seconds: int) -> "RotationDescription":
    """The rotation once it has succeeded, is in quarantine, or the time is over; each look leaves its event."""
    loop = asyncio.get_running_loop()
    end = loop.time() + wait_seconds
    while True:
        rotation = (await client.describe_secret(name)).rotation
        if rotation is None:
            raise NotFound(f"cannot find a rotation of secret {name}")
        done = rotation.state == "quarantined" or (rotation.state == "idle" and rotation.last_rotated_ms != before)
        if done or loop.time() >= end:
            return rotation
        await asyncio.sleep(LOOK_EVERY_SECONDS)


def pause(ctx: typer.Context, name: Name, output: Output = Form.TABLE) -> None:
    """Stop the clock of a rotation; one that is under way is finished."""
    _show(name, reach(ctx).run(lambda client: client.pause_rotation(name)).rotation, output)


def resume(ctx: typer.Context, name: Name, output: Output = Form.TABLE) -> None:
    """Start the clock of a rotation again; one in quarantine is taken up where it stopped."""
    _show(name, reach(ctx).run(lambda client: client.resume_rotation(name)).rotation, output)


def cancel(ctx: typer.Context, name: Name, output: Output = Form.TABLE) -> None:
    """Stop the clock of a rotation; one that is under way is led back to the value before. Its settings stay."""
    _show(name, reach(ctx).run(lambda client: client.cancel_rotate_secret(name)).rotation, output)


def rotators(ctx: typer.Context, output: Output = Form.TABLE) -> None:
    """List what can make new values on this host; -o json shows the schema of their settings."""
    found = reach(ctx).run(lambda client: client.list_rotators()).rotators
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(one.name for one in found)
    else:
        show_table(("rotator", "what it does"), ((one.name, one.summary) for one in found))


def _show(name: str, rotation: "RotationDescription", output: Form) -> None:
    if output is Form.JSON:
        show_json(rotation)
    elif output is Form.RAW:
        show_lines([rotation.state])
    else:
        show_fields(described(rotation))
    if rotation.state == "quarantined":
        raise Quarantined(f"cannot go on with the rotation of secret {name}: it is in quarantine")


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program, and those that show rotations."""
    app.command()(rotate)
    app.command()(rotation_views.check)
    group = typer.Typer(no_args_is_help=True, help="Rotations of secrets.")
    group.command("list")(rotation_views.list_)
    for command in (
        rotation_views.status,
        rotation_views.explain,
        rotation_views.history,
        pause,
        resume,
        cancel,
        rotators,
    ):
        group.command()(command)
    app.add_typer(group, name="rotation")
