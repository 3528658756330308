"""Every operation, with or without a command of its own: the screen that lists them, and the call by name."""

from typing import Annotated, Any

import typer

from secretsd.cli.ctl import sources
from secretsd.cli.ctl.output import Form, Output, show_json, show_lines, show_table
from secretsd.cli.ctl.reach import reach
from secretsd.client.errors import ClientError


def call(
    ctx: typer.Context,
    operation: Annotated[str, typer.Argument(help="Its name, such as DescribeSecret.", show_default=False)],
    json: Annotated[
        str | None, typer.Option(metavar="-|@FILE", help="The request's fields as a JSON object. [default: none]")
    ] = None,
) -> None:
    """Call any operation by its name and print the answer as JSON."""
    from secretsd.client._generated_calls import ROUTES

    route = ROUTES.get(operation)
    if route is None:
        raise ClientError("cannot call the operation: no operation has that name; secretsctl operations lists them")
    fields: dict[str, Any] = {} if json is None else sources.read_document(json, "request", dict[str, Any])
    request = sources.as_request(fields, route.request)
    show_json(reach(ctx).run(lambda client: client.call(operation, request)))


def operations(output: Output = Form.TABLE) -> None:
    """List all operations; their names are also the permissions that policies speak of."""
    from secretsd.client._generated_calls import ROUTES, GeneratedCalls

    summaries = {name.replace("_", ""): method.__doc__ for name, method in vars(GeneratedCalls).items()}
    rows = [
        (name, route.method, route.path, " ".join((summaries[name.lower()] or "").split()))
        for name, route in ROUTES.items()
    ]
    if output is Form.JSON:
        show_json([dict(zip(("name", "method", "path", "summary"), row, strict=True)) for row in rows])
    elif output is Form.RAW:
        show_lines(ROUTES)
    else:
        show_table(("operation", "method", "path", "what it does"), rows)


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    for command in (call, operations):
        app.command()(command)
