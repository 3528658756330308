"""The life of CMKs: switched off and on, deleted after a waiting time, protected from that, and gone from backups."""

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from secretsd.cli.ctl.key_arguments import Key, examples, readable, show_answer
from secretsd.cli.ctl.output import Form, Output, show_fields
from secretsd.cli.ctl.reach import reach
from secretsd.domain.errors import AccessDenied

if TYPE_CHECKING:
    from secretsd.api.key_lifecycle import KeyStateResponse
    from secretsd.api.keys import KeyDescription
    from secretsd.client import Client


def enable(ctx: typer.Context, key: Key, output: Output = Form.TABLE) -> None:
    """Let a disabled CMK be used again."""
    moved = reach(ctx).run(lambda client: client.enable_key(key))
    show_answer(moved, output, moved.state)


def disable(ctx: typer.Context, key: Key, output: Output = Form.TABLE) -> None:
    """Let a CMK be used no more, by nobody and nothing, until it is enabled again. Secrets under it cannot be read."""
    moved = reach(ctx).run(lambda client: client.disable_key(key))
    show_answer(moved, output, moved.state)


def delete(
    ctx: typer.Context,
    key: Key,
    days: Annotated[int, typer.Option(min=7, max=366, help="How long it can be kept after all.")] = 30,
    output: Output = Form.TABLE,
) -> None:
    """Let a CMK be used no more, and destroy it after a waiting time; what is encrypted under it is lost then.

    Until then `secretsctl key cancel-deletion` keeps it. The answer tells how many secret versions go with it.
    """

    async def schedule(client: "Client") -> "tuple[KeyStateResponse, KeyDescription | None]":
        state = await client.schedule_key_deletion(key, pending_window_days=days)
        if output is Form.TABLE:
            with suppress(AccessDenied):  # who may delete a key need not be allowed to describe it
                return state, await client.describe_key(state.id)
        return state, None

    state, found = reach(ctx).run(schedule)
    if found is None:
        show_answer(state, output, state.state)
        return
    guarded = f"{'more than ' if found.guarded_secret_versions_more else ''}{found.guarded_secret_versions}"
    show_fields({**readable(state), "secret versions lost then": guarded})


def cancel_deletion(ctx: typer.Context, key: Key, output: Output = Form.TABLE) -> None:
    """Keep a CMK that waits for its deletion. It is disabled then; `secretsctl key enable` lets it be used."""
    moved = reach(ctx).run(lambda client: client.cancel_key_deletion(key))
    show_answer(moved, output, moved.state)


def protect(
    ctx: typer.Context,
    key: Key,
    reason: Annotated[str, typer.Option(help="Why, for whoever wants to delete it later.")] = "",
    output: Output = Form.TABLE,
) -> None:
    """Protect a CMK from deletion."""
    now = reach(ctx).run(lambda client: client.set_deletion_protection(key, enabled=True, reason=reason))
    show_answer(now, output, "protected")


def unprotect(ctx: typer.Context, key: Key, output: Output = Form.TABLE) -> None:
    """Take the protection from deletion away."""
    now = reach(ctx).run(lambda client: client.set_deletion_protection(key, enabled=False))
    show_answer(now, output, "unprotected")


def erasure(
    ctx: typer.Context,
    key: Key,
    backups_kept: Annotated[
        int | None, typer.Option(metavar="DAYS", min=0, max=36500, help="How long you keep backups of the storage.")
    ] = None,
    output: Output = Form.TABLE,
) -> None:
    """Tell from when on backups no longer give a destroyed CMK, and what brings that about."""
    found = reach(ctx).run(lambda client: client.describe_erasure(key, retention_days=backups_kept))
    show_answer(found, output, found.how)


def add_to(group: typer.Typer) -> None:
    """Add these commands to the group of keys."""
    for command, example in (
        (enable, "secretsctl key enable alias/prod-db"),
        (disable, "secretsctl key disable alias/prod-db"),
        (delete, "secretsctl key delete alias/old-db --days 90"),
        (cancel_deletion, "secretsctl key cancel-deletion alias/old-db"),
        (protect, "secretsctl key protect alias/prod-db --reason 'backups of 2026 are under it'"),
        (unprotect, "secretsctl key unprotect alias/prod-db"),
        (erasure, "secretsctl key erasure 2f0d7c0e-7c58-4b7e-9f3e-4c6b5b7a9d10 --backups-kept 90"),
    ):
        group.command(epilog=examples(example))(command)
