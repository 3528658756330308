"""The audit trail: look up who did what, when, and with which outcome."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from secretsd.cli.ctl.output import Form, Output, moment, show_json, show_lines, show_table
from secretsd.cli.ctl.reach import reach
from secretsd.cli.ctl.times import point

if TYPE_CHECKING:
    from secretsd.client import Client

LARGEST_PAGE = 1000


def lookup(
    ctx: typer.Context,
    since: Annotated[int, typer.Option(metavar="WHEN", parser=point, help="A date, or a duration ago such as 2h.")] = 0,
    until: Annotated[int | None, typer.Option(metavar="WHEN", parser=point, help="A date, or a duration ago.")] = None,
    principal: Annotated[str | None, typer.Option(help="Who did it.")] = None,
    resource: Annotated[str | None, typer.Option(help="On what: whole, or a prefix that ends in *.")] = None,
    operation: Annotated[str | None, typer.Option(help="The operation's name.")] = None,
    request_id: Annotated[str | None, typer.Option(help="The one call that an answer or error named.")] = None,
    account: Annotated[str | None, typer.Option(help="Another account than your own.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most events to show.")] = 100,
    output: Output = Form.TABLE,
) -> None:
    """Look up events, the oldest first."""
    from secretsd.api.audit import LookupEventsRequest, LookupEventsResponse

    request = LookupEventsRequest(
        account=account,
        from_ms=since,
        to_ms=until,
        principal=principal,
        resource=resource,
        operation=operation,
        request_id=request_id,
        limit=min(limit, LARGEST_PAGE),
    )

    async def collect(client: "Client") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        async for page in client.pages("LookupEvents", request, LookupEventsResponse):
            found += page.events
            if len(found) >= limit:
                break
        return found[:limit]

    events = reach(ctx).run(collect)
    if output is Form.JSON:
        show_json(events)
    elif output is Form.RAW:
        show_lines(str(event.get("id", "")) for event in events)
    else:
        show_table(("time", "operation", "resource", "principal", "outcome", "request"), map(_row, events))


def _row(event: dict[str, Any]) -> tuple[str, ...]:
    named = (str(event.get(name, "")) for name in ("operation", "resource", "principal", "outcome", "id"))
    return (moment(event.get("time_ms")), *named)


def add_to(app: typer.Typer) -> None:
    """Add this group to the program."""
    group = typer.Typer(no_args_is_help=True, help="Who did what.")
    group.command()(lookup)
    app.add_typer(group, name="audit")
