"""Rotations as people see them: status, explanation, history, list, and the check that scripts ask."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from secretsd.cli.ctl.failures import Quarantined
from secretsd.cli.ctl.output import Form, Output, described, moment, show_fields, show_json, show_lines, show_table
from secretsd.cli.ctl.reach import reach
from secretsd.cli.ctl.stored import Name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secretsd.api.rotation_views import RotationExplanation, RotationStatus, RotationStepDescription
    from secretsd.client import Client

LARGEST_PAGE = 100
Prefix = Annotated[str, typer.Argument(help="What the secrets' names begin with.", show_default=False)]


def status(ctx: typer.Context, name: Name, output: Output = Form.TABLE) -> None:
    """Tell where a rotation stands; the exit code is 6 when it is in quarantine."""
    found = reach(ctx).run(lambda client: client.describe_rotation(name))
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines([found.rotation.state])
    else:
        fields = described(found)
        inner = {key.removeprefix("rotation."): value for key, value in fields.items() if key.startswith("rotation.")}
        outer = {key.replace("_", " "): value for key, value in fields.items() if not key.startswith("rotation.")}
        show_fields({"name": outer.pop("name"), **inner, **outer})
    _end_with(found)


def explain(
    ctx: typer.Context,
    name: Name,
    probe: Annotated[
        bool, typer.Option("--probe/--no-probe", help="Whether to log in at the target, once for each version.")
    ] = True,
    output: Output = Form.TABLE,
) -> None:
    """Tell why a rotation is where it is, what callers get, what the target accepts, and the next command."""
    found = reach(ctx).run(lambda client: client.explain_rotation(name, probe_target=probe))
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines([found.cause])
    else:
        show_fields({name: said for name, said in _screen(found) if said})
        if found.steps:
            show_lines(["", "last steps"])
            _show_steps(found.steps)
    _end_with(found.status)


def _screen(found: "RotationExplanation") -> Iterator[tuple[str, str | None]]:
    rotation, served = found.status.rotation, found.served
    since = f" since {moment(found.status.since_ms)}" if found.status.since_ms else ""
    yield "secret", found.status.name
    yield "rotation", f"{rotation.state}{since}"
    yield "cause", found.cause
    version = "" if served.number is None else f" (number {served.number})"
    yield "callers get", f"{served.how.replace('-', ' ')}: {served.meaning}{version}"
    where = rotation.target or "target"
    for one in found.versions:
        why = f": {one.reason}, {one.meaning}" if one.reason else ""
        yield f"{where}, {one.stage}", f"{one.acceptance} (number {one.number}){why}"
    if found.not_asked is not None:
        yield where, f"not asked: {found.not_asked}"
    yield "next due", moment(rotation.next_due_ms)
    yield "what to do", found.status.next_action or ("" if found.next_command else "nothing")
    yield "next command", found.next_command


def history(
    ctx: typer.Context,
    name: Name,
    limit: Annotated[int, typer.Option(min=1, help="Most entries to show.")] = 50,
    output: Output = Form.TABLE,
) -> None:
    """List what a rotation did: each state that it came to, when and why, the newest first."""
    from secretsd.api.rotation_views import ListRotationStepsRequest, ListRotationStepsResponse

    async def collect(client: "Client") -> "list[RotationStepDescription]":
        request = ListRotationStepsRequest(name=name, limit=min(limit, LARGEST_PAGE))
        found: list[RotationStepDescription] = []
        async for page in client.pages("ListRotationSteps", request, ListRotationStepsResponse):
            found += page.steps
            if len(found) >= limit:
                break
        return found[:limit]

    steps = reach(ctx).run(collect)
    if output is Form.JSON:
        show_json(steps)
    elif output is Form.RAW:
        show_lines(f"{one.number} {one.state} {one.reason}".rstrip() for one in steps)
    else:
        _show_steps(steps)


def _show_steps(steps: "Sequence[RotationStepDescription]") -> None:
    show_table(
        ("time", "run", "state", "reason", "attempts", "version", "result"),
        (
            (
                moment(one.time_ms),
                str(one.run),
                one.state,
                one.reason,
                str(one.attempts or ""),
                one.version_id or "",
                one.result or "",
            )
            for one in steps
        ),
    )


def list_(
    ctx: typer.Context,
    prefix: Prefix = "",
    state: Annotated[str | None, typer.Option(help="Only those in this state, such as quarantined.")] = None,
    output: Output = Form.TABLE,
) -> None:
    """List rotations, in order of their secrets' names."""
    found = reach(ctx).run(lambda client: _collect(client, prefix, state=state))
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(one.name for one in found)
    else:
        _show_rotations(found)


def check(ctx: typer.Context, prefix: Prefix = "", output: Output = Form.TABLE) -> None:
    """Tell which rotations wait for a person; the exit code is 6 when any is in quarantine, else 0."""
    found = reach(ctx).run(lambda client: _collect(client, prefix, quarantined=True))
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(one.name for one in found)
    elif not found:
        show_lines(["no rotation is in quarantine"])
    else:
        show_table(
            ("secret", "since", "reason", "what to do"),
            ((one.name, moment(one.since_ms), one.rotation.reason, one.next_action or "") for one in found),
        )
    if found:
        count = "1 rotation is" if len(found) == 1 else f"{len(found)} rotations are"
        raise Quarantined(f"cannot call it well: {count} in quarantine", "secretsctl rotation explain NAME")


async def _collect(client: "Client", prefix: str, **wanted: Any) -> "list[RotationStatus]":
    from secretsd.api.rotation_views import ListRotationsRequest, ListRotationsResponse

    pages = client.pages("ListRotations", ListRotationsRequest(prefix=prefix, **wanted), ListRotationsResponse)
    return sorted([one async for page in pages for one in page.rotations], key=lambda one: one.name)


def _show_rotations(found: "Sequence[RotationStatus]") -> None:
    show_table(
        ("secret", "rotator", "state", "since", "reason", "last rotated", "next due"),
        (
            (
                one.name,
                one.rotation.rotator,
                one.rotation.state,
                moment(one.since_ms),
                one.rotation.reason,
                moment(one.rotation.last_rotated_ms),
                moment(one.rotation.next_due_ms) if one.rotation.enabled else "paused",
            )
            for one in found
        ),
    )


def _end_with(found: "RotationStatus") -> None:
    if found.rotation.state == "quarantined":
        message = f"cannot go on with the rotation of secret {found.name}: it is in quarantine"
        raise Quarantined(message, found.next_action)
