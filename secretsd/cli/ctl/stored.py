"""Secrets and their values: get, put, ls, versions, describe, rm, restore."""

import sys
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from secretsd.cli.ctl import sources
from secretsd.cli.ctl.output import (
    Form,
    Output,
    described,
    moment,
    show_bytes,
    show_fields,
    show_json,
    show_lines,
    show_table,
)
from secretsd.cli.ctl.reach import reach
from secretsd.client.errors import ClientError
from secretsd.domain.errors import AlreadyExists, NotFound

if TYPE_CHECKING:
    from secretsd.api.fields import BinaryValue, TextValue
    from secretsd.api.values import PutSecretValueResponse
    from secretsd.client import Client

Name = Annotated[str, typer.Argument(help="The secret's name, such as prod/db/app.", show_default=False)]


def get(
    ctx: typer.Context,
    name: Name,
    stage: Annotated[str | None, typer.Option(help="The version stage. [default: current]")] = None,
    version: Annotated[str | None, typer.Option(metavar="ID", help="The version's id.")] = None,
    output: Output = Form.RAW,
) -> None:
    """Print a secret's value, to a pipe exactly as it was stored."""
    from secretsd.client.cache import value_of

    found = reach(ctx).run(lambda client: client.get_secret_value(name, stage=stage, version_id=version))
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_bytes(value_of(found).reveal())
    else:
        fields = described(found)
        fields["text"] = found.text.reveal().decode() if found.text is not None else None
        fields["binary"] = f"{len(found.binary)} bytes, not shown here" if found.binary is not None else None
        show_fields(fields)


def put(
    ctx: typer.Context,
    name: Name,
    source: sources.Source,
    stage: Annotated[list[str] | None, typer.Option(help="The new version's stage; may be given again.")] = None,
    binary: Annotated[bool, typer.Option("--binary", help="Store as binary even what is valid text.")] = False,
    no_create: Annotated[bool, typer.Option("--no-create", help="Fail when there is no such secret.")] = False,
    token: Annotated[str | None, typer.Option(metavar="ID", help="The new version's id; makes repeating safe.")] = None,
    output: Output = Form.TABLE,
) -> None:
    """Store a value as a new version, and the secret itself when it does not exist. All bytes are kept as they are."""
    value = sources.read_value(source, binary)
    stages = tuple(stage or ("current",))
    create = not no_create and stages == ("current",)
    stored = reach(ctx).run(lambda client: _store(client, name, value, token or str(uuid4()), stages, create))
    if output is Form.JSON:
        show_json(stored)
    elif output is Form.RAW:
        show_lines([stored.version_id])
    else:
        show_lines([f"{stored.name}: version {stored.number} ({stored.version_id}) is {', '.join(stored.stages)}"])


async def _store(
    client: "Client", name: str, value: "TextValue | BinaryValue", token: str, stages: tuple[str, ...], create: bool
) -> "PutSecretValueResponse":
    """Put, and where there is nothing to put into, create with the same token: together they store the value once."""
    from secretsd.api.fields import BinaryValue, TextValue
    from secretsd.api.values import PutSecretValueResponse

    text = value if isinstance(value, TextValue) else None
    data = value if isinstance(value, BinaryValue) else None
    try:
        return await client.put_secret_value(name, text=text, binary=data, token=token, stages=stages)
    except NotFound:
        if not create:
            raise
    try:
        made = await client.create_secret(name=name, text=text, binary=data, token=token)
    except AlreadyExists:  # somebody else was faster, so now there is something to put into
        return await client.put_secret_value(name, text=text, binary=data, token=token, stages=stages)
    return PutSecretValueResponse(name=made.name, version_id=made.version_id or token, number=1, stages=stages)


def ls(
    ctx: typer.Context,
    prefix: Annotated[str, typer.Argument(help="What the names begin with.", show_default=False)] = "",
    tag: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="A tag that must be there.")] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Also those that wait to be erased.")] = False,
    output: Output = Form.TABLE,
) -> None:
    """List secrets, without their values."""
    from secretsd.api.secrets import ListSecretsRequest, ListSecretsResponse, SecretDescription

    request = ListSecretsRequest(prefix=prefix, tags=tuple(tag or ()), include_deleted=deleted)

    async def collect(client: "Client") -> list[SecretDescription]:
        pages = client.pages("ListSecrets", request, ListSecretsResponse)
        return [secret async for page in pages for secret in page.secrets]

    found = reach(ctx).run(collect)
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(secret.name for secret in found)
    else:
        show_table(
            ("name", "versions", "changed", "erased at", "description"),
            (
                (one.name, str(one.version_count), moment(one.changed_ms), moment(one.deletion_ms), one.description)
                for one in found
            ),
        )


def versions(
    ctx: typer.Context,
    name: Name,
    everything: Annotated[bool, typer.Option("--all", help="Also versions without a stage.")] = False,
    output: Output = Form.TABLE,
) -> None:
    """List a secret's versions, the newest first."""
    from secretsd.api.values import ListSecretVersionIdsRequest, ListSecretVersionIdsResponse, VersionDescription

    request = ListSecretVersionIdsRequest(name=name, include_unlabelled=everything)

    async def collect(client: "Client") -> list[VersionDescription]:
        pages = client.pages("ListSecretVersionIds", request, ListSecretVersionIdsResponse)
        return [version async for page in pages for version in page.versions]

    found = reach(ctx).run(collect)
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(version.id for version in found)
    else:
        show_table(
            ("number", "version", "stages", "type", "created"),
            ((str(v.number), v.id, " ".join(v.stages), v.data_type, moment(v.created_ms)) for v in found),
        )


def describe(ctx: typer.Context, name: Name, output: Output = Form.TABLE) -> None:
    """Tell all about a secret but its value."""
    found = reach(ctx).run(lambda client: client.describe_secret(name))
    if output is Form.JSON:
        show_json(found)
    else:
        show_fields(described(found))


def rm(
    ctx: typer.Context,
    name: Name,
    window: Annotated[
        int | None, typer.Option(metavar="DAYS", min=7, max=30, help="How long it can be restored.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Erase it at once and for good.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before erasing at once.")] = False,
) -> None:
    """Delete a secret; `secretsctl restore` brings it back within the window (30 days unless told otherwise)."""
    if force and not yes:
        if not sys.stdin.isatty():
            raise ClientError(f"cannot erase secret {name} without a question: add --yes, there is nobody to ask")
        typer.confirm(f"Erase {name} with all of its versions, for good?", abort=True, err=True)
    done = reach(ctx).run(lambda client: client.delete_secret(name, recovery_window_days=window, force=force))
    show_lines([f"{done.name}: erased" if force else f"{done.name}: is erased at {moment(done.deletion_ms)}"])


def restore(ctx: typer.Context, name: Name) -> None:
    """Bring a deleted secret back, while its window is open."""
    done = reach(ctx).run(lambda client: client.restore_secret(name))
    show_lines([f"{done.name}: restored"])


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    for command in (get, put, ls, versions, describe, rm, restore):
        app.command()(command)
