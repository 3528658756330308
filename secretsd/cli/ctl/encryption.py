"""Files of any size, encrypted and decrypted on this host under data keys of the daemon: encrypt, decrypt."""

import errno
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from secretsd.cli.ctl.reach import reach
from secretsd.cli.ctl.standard_input import standard_input
from secretsd.client.errors import ClientError
from secretsd.domain.errors import InvalidRequest, LimitExceeded

if TYPE_CHECKING:
    from secretsd.client.encryption import SyncEncryption

File = Annotated[str, typer.Argument(metavar="FILE", help="The file, or - for standard input.", show_default=False)]
Context = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE", help="A pair of the encryption context, which stands in clear; may be repeated."
    ),
]
To = Annotated[
    str,
    typer.Option("--output", "-o", metavar="FILE", help="Where it goes: a new file of mode 0600, or standard output."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Take the place of a file that is there.")]
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def encrypt(
    ctx: typer.Context,
    file: File,
    key: Annotated[str, typer.Option(metavar="KEY", help="The CMK: id, alias/NAME or full name.", show_default=False)],
    context: Context = None,
    output: To = "-",
    overwrite: Overwrite = False,
) -> None:
    """Encrypt a file, here, under a data key that the daemon makes with a CMK.

    The message is in the format of the AWS Encryption SDK.
    """
    pairs = read_context(context or [])
    if output == "-" and sys.stdout.isatty():
        raise InvalidRequest("cannot write the message to a terminal: give -o FILE")
    with (
        _encryption(ctx, key, ()) as encryption,
        _files("encrypt", file, output, overwrite) as (source, sink),
        _bar("encrypting", source, output) as told,
    ):
        encryption.encrypt_stream(source, sink, context=pairs, progress=told)


def decrypt(
    ctx: typer.Context,
    file: File,
    context: Context = None,
    output: To = "-",
    overwrite: Overwrite = False,
    key: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Refuse messages under other CMKs than this one; may be repeated."),
    ] = None,
) -> None:
    """Decrypt what encrypt has made, with the same context.

    With -o a file appears only once all of it is authentic. Standard output gets each part as soon as that one is, so
    there the exit code says whether it was all.
    """
    pairs = read_context(context or [])
    with (
        _encryption(ctx, None, key or ()) as encryption,
        _files("decrypt", file, output, overwrite) as (source, sink),
        _bar("decrypting", source, output) as told,
    ):
        encryption.decrypt_stream(source, sink, context=pairs, progress=told)


def read_context(pairs: list[str]) -> dict[str, str]:
    """The encryption context out of NAME=VALUE; InvalidRequest for what is no pair, or a name given twice."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise InvalidRequest("cannot read the context: its pairs are written NAME=VALUE")
        if name in found:
            raise InvalidRequest(f"cannot read the context: {name} is given twice")
        found[name] = value
    return found


@contextmanager
def _encryption(ctx: typer.Context, key: str | None, accepted: Sequence[str]) -> "Iterator[SyncEncryption]":
    """On this thread rather than on a loop, so that an interrupt also ends a read that waits."""
    from secretsd.client.encryption import SyncEncryption
    from secretsd.client.sync import SyncClient

    with SyncClient(reach(ctx).client()) as client:
        yield SyncEncryption(client, key, accepted=accepted or None)


@contextmanager
def _files(verb: str, file: str, output: str, overwrite: bool) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Source and sink; what goes wrong with them is told by name. A reader that has gone is told where it always is."""
    from secretsd.client.encryption import new_file

    with (
        _source(file) as source,
        _told(f"cannot {verb} {file} to {output}"),
        _stdout() if output == "-" else new_file(output, overwrite=overwrite) as sink,
    ):
        yield source, sink


def _stdout() -> BinaryIO:
    """Without a buffer: what was not taken must not be tried again when the program ends."""
    return open(sys.stdout.fileno(), "wb", buffering=0, closefd=False)


@contextmanager
def _source(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        with standard_input() as given:
            yield given
        return
    with _told(f"cannot read {file}"):
        opened = open(file, "rb", buffering=0)  # noqa: SIM115  # closed below; only opening it is told like this
    with opened:
        yield opened


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Makes an error of the operating system one of ours; a reader that has gone is left to the program."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        reason, full = error.strerror, error.errno in _FULL
    else:
        return
    raise (LimitExceeded if full else ClientError)(f"{what}: {reason}")


@contextmanager
def _bar(words: str, source: BinaryIO, output: str) -> Iterator[Callable[[int], None] | None]:
    """A progress bar on standard error where that is a terminal, and the text itself does not go to one."""
    if not sys.stderr.isatty() or (output == "-" and sys.stdout.isatty()):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(words, total=_length(source))
        yield lambda size: progress.advance(task, size)


def _length(source: BinaryIO) -> int | None:
    """How much a regular file holds; None for pipes, whose bar only moves."""
    try:
        return os.fstat(source.fileno()).st_size or None
    except OSError:
        return None


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    for command in (encrypt, decrypt):
        app.command()(command)
