"""The audit trail: look up who did what, when, and with which outcome."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from secretsd.cli.ctl.account_arguments import any_account
from secretsd.cli.ctl.output import Form, Output, moment, show_json, show_lines, show_table
from secretsd.cli.ctl.reach import reach
from secretsd.cli.ctl.times import point

if TYPE_CHECKING:
    from secretsd.client import Client

LARGEST_PAGE = 1000


def lookup(
    ctx: typer.Context,
    since: Annotated[
        int | None, typer.Option(metavar="WHEN", parser=point, help="A date, or a duration ago such as 2h.")
    ] = None,
    until: Annotated[int | None, typer.Option(metavar="WHEN", parser=point, help="A date, or a duration ago.")] = None,
    principal: Annotated[str | None, typer.Option(help="Who did it, such as user/ann.")] = None,
    resource: Annotated[
        str | None, typer.Option(help="On what, such as secret/prod/db/app; a * at the end stands for any text.")
    ] = None,
    operation: Annotated[str | None, typer.Option(help="The operation's name.")] = None,
    request_id: Annotated[str | None, typer.Option(help="The one call that an answer or error named.")] = None,
    account: Annotated[
        str | None,
        typer.Option(metavar="ACCOUNT", parser=any_account, help="Another account than your own, or system."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most events to show.")] = 100,
    output: Output = Form.TABLE,
) -> None:
    """Look up events, the oldest first. Names without secretsd: in front are those of the account looked at."""
    from secretsd.api.audit import LookupEventsRequest, LookupEventsResponse

    async def collect(client: "Client") -> list[dict[str, Any]]:
        request = LookupEventsRequest(
            account=account,
            from_ms=since or 0,
            to_ms=until,
            principal=await _full(client, principal, account),
            resource=await _full(client, resource, account),
            operation=operation,
            request_id=request_id,
            limit=min(limit, LARGEST_PAGE),
        )
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


async def _full(client: "Client", name: str | None, account: str | None) -> str | None:
    """The name in its full form, which is what events hold; who is calling is asked only where that is not known."""
    if name is None or name.startswith("secretsd:"):
        return name
    return f"secretsd:{account or (await client.get_caller_identity()).account}:{name}"


def _row(event: dict[str, Any]) -> tuple[str, ...]:
    named = (str(event.get(name, "")) for name in ("operation", "resource", "principal", "outcome", "id"))
    return (moment(event.get("time_ms")), *named)


def add_to(app: typer.Typer) -> None:
    """Add this group to the program."""
    group = typer.Typer(no_args_is_help=True, help="Who did what.")
    group.command()(lookup)
    app.add_typer(group, name="audit")
