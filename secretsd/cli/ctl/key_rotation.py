"""Rotation of CMKs: by hand and by the clock; what is under older versions moved on; the end of a version."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from secretsd.cli.ctl.failures import FAILED
from secretsd.cli.ctl.key_arguments import Key, Yes, confirm, examples, show_answer
from secretsd.cli.ctl.output import Form, Output, moment, show_json, show_lines, show_table
from secretsd.cli.ctl.reach import reach
from secretsd.cli.ctl.times import seconds

if TYPE_CHECKING:
    from secretsd.api.key_rotation import KeyRotationEntry, ReEncryptionDescription
    from secretsd.client import Client

LOOK_EVERY_SECONDS = 0.5
RUNNING, DONE = "running", "done"
"""States of a re-encryption, as the answer spells them."""


def rotate(ctx: typer.Context, key: Key, output: Output = Form.TABLE) -> None:
    """Make a new version of a CMK current, now. Older versions still decrypt."""
    now = reach(ctx).run(lambda client: client.rotate_key_on_demand(key))
    show_answer(now, output, str(now.current_version))


def enable(
    ctx: typer.Context,
    key: Key,
    every: Annotated[
        int | None,
        typer.Option(metavar="DURATION", parser=seconds, help="The period, 7d to 2560d; else 365d."),
    ] = None,
    output: Output = Form.TABLE,
) -> None:
    """Let a CMK be rotated by the clock, the first time a period from now."""
    now = reach(ctx).run(lambda client: client.enable_key_rotation(key, rotation_period_seconds=every))
    show_answer(now, output, moment(now.next_rotation_ms))


def disable(ctx: typer.Context, key: Key, output: Output = Form.TABLE) -> None:
    """Let a CMK not be rotated by the clock any more."""
    now = reach(ctx).run(lambda client: client.disable_key_rotation(key))
    show_answer(now, output, "disabled")


def status(ctx: typer.Context, key: Key, output: Output = Form.TABLE) -> None:
    """Tell whether a CMK is rotated by the clock, and when next."""
    now = reach(ctx).run(lambda client: client.get_key_rotation_status(key))
    show_answer(now, output, "enabled" if now.enabled else "disabled")


def history(ctx: typer.Context, key: Key, output: Output = Form.TABLE) -> None:
    """List when a CMK got its versions, the newest first."""
    from secretsd.api.key_rotation import ListKeyRotationsRequest, ListKeyRotationsResponse

    async def collect(client: "Client") -> "list[KeyRotationEntry]":
        pages = client.pages("ListKeyRotations", ListKeyRotationsRequest(key=key), ListKeyRotationsResponse)
        return [one async for page in pages for one in page.rotations]

    found = reach(ctx).run(collect)
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(str(one.version) for one in found)
    else:
        show_table(
            ("version", "rotated", "state"), ((str(one.version), moment(one.rotated_ms), one.state) for one in found)
        )


def re_encrypt(
    ctx: typer.Context,
    key: Key,
    per_second: Annotated[
        int, typer.Option(metavar="NUMBER", min=1, max=10_000, help="Most that are moved in a second.")
    ] = 100,
    wait: Annotated[
        int | None, typer.Option(metavar="DURATION", parser=seconds, help="Wait this long for it to end.")
    ] = None,
    output: Output = Form.TABLE,
) -> None:
    """Move what the daemon stores under older versions of a CMK under the current one, while all of it is served.

    One that runs gets the new rate. With --wait the exit code is 1 unless everything was moved in that time.
    """

    async def move(client: "Client") -> "ReEncryptionDescription":
        now = await client.re_encrypt_secrets(key, per_second=per_second)
        loop = asyncio.get_running_loop()
        end = loop.time() + (wait or 0)
        while now.state == RUNNING and loop.time() < end:
            await asyncio.sleep(min(LOOK_EVERY_SECONDS, end - loop.time()))
            now = await client.describe_re_encryption(now.key)
        return now

    now = reach(ctx).run(move)
    show_answer(now, output, now.state)
    if wait is not None and now.state != DONE:
        raise typer.Exit(FAILED)


def re_encryption_status(ctx: typer.Context, key: Key, output: Output = Form.TABLE) -> None:
    """Tell how far a re-encryption is, and what is left under older versions."""
    now = reach(ctx).run(lambda client: client.describe_re_encryption(key))
    show_answer(now, output, now.state)


def re_encryption_cancel(ctx: typer.Context, key: Key, output: Output = Form.TABLE) -> None:
    """Stop a re-encryption; what was moved stays moved."""
    now = reach(ctx).run(lambda client: client.cancel_re_encryption(key))
    show_answer(now, output, now.state)


def destroy_version(
    ctx: typer.Context,
    key: Key,
    version: Annotated[int, typer.Argument(min=1, help="Its number; the oldest goes first.", show_default=False)],
    confirm_unknown_ciphertexts: Annotated[
        bool,
        typer.Option(
            "--confirm-unknown-ciphertexts",
            help="Nobody needs what callers encrypted under it any more: you know that.",
        ),
    ] = False,
    yes: Yes = False,
    output: Output = Form.TABLE,
) -> None:
    """Destroy the oldest version of a CMK, for good. Refused while anything that the daemon stores needs it.

    What callers hold is not known to the daemon: for a key of yours you have to say that nothing is left.
    """
    confirm(f"destroy version {version} of key {key}", "It does not come back.", yes=yes)
    gone = reach(ctx).run(
        lambda client: client.destroy_key_version(
            key, version=version, confirm_unknown_ciphertexts=confirm_unknown_ciphertexts
        )
    )
    show_answer(gone, output, str(gone.oldest_version))


def add_to(group: typer.Typer) -> None:
    """Add these commands to the group of keys."""
    group.command(epilog=examples("secretsctl key rotate alias/prod-db"))(rotate)
    clock = typer.Typer(no_args_is_help=True, help="Rotation of CMKs by the clock.")
    clock.command(epilog=examples("secretsctl key rotation enable alias/prod-db --every 90d"))(enable)
    for command in (disable, status, history):
        clock.command(epilog=examples(f"secretsctl key rotation {command.__name__} alias/prod-db"))(command)
    group.add_typer(clock, name="rotation")
    group.command(epilog=examples("secretsctl key re-encrypt alias/prod-db --per-second 50 --wait 1h"))(re_encrypt)
    moving = typer.Typer(no_args_is_help=True, help="Re-encryptions of what is under older versions.")
    for name, command in (("status", re_encryption_status), ("cancel", re_encryption_cancel)):
        moving.command(name, epilog=examples(f"secretsctl key re-encryption {name} alias/prod-db"))(command)
    group.add_typer(moving, name="re-encryption")
    group.command(
        epilog=examples("secretsctl key destroy-version alias/prod-db 1 --confirm-unknown-ciphertexts"),
    )(destroy_version)
