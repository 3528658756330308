"""What the commands about keys have in common: how a key is named, examples in the help, and where bytes go."""

import base64
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from secretsd.cli.ctl.output import Form, described, show_bytes, show_fields, show_json, show_lines
from secretsd.client.errors import ClientError

if TYPE_CHECKING:
    from secretsd.api.fields import Response

Key = Annotated[str, typer.Argument(help="The CMK: id, alias/NAME, or full name.", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask first.")]
To = Annotated[
    str | None,
    typer.Option("--to", metavar="FILE", help="A new file of mode 0600 for the bytes, in place of the answer."),
]


def examples(*commands: str) -> str:
    """The end of a command's help: one line for each example."""
    return "\n\n".join(("Example:" if len(commands) == 1 else "Examples:", *commands))


def confirm(what: str, consequence: str, *, yes: bool) -> None:
    """Ask before what cannot be undone; where nobody can be asked, ClientError unless `yes` was said before."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise ClientError(f"cannot {what} without a question: add --yes, there is nobody to ask")
    typer.confirm(f"{what[:1].upper()}{what[1:]}? {consequence}", abort=True, err=True)


def show_answer(answer: "Response", output: Form, raw: str) -> None:
    """An answer in which nothing is secret; bytes of it are shown in base64. `raw` is what it comes down to."""
    if output is Form.JSON:
        show_json(answer)
    elif output is Form.RAW:
        show_lines([raw])
    else:
        show_fields(readable(answer))


def readable(answer: "Response") -> dict[str, Any]:
    """The fields of an answer as people read them: bytes in base64, values not at all."""
    from secretsd.domain.sensitive import Plaintext

    found = described(answer)
    for name, one in found.items():
        if isinstance(one, bytes):
            found[name] = base64.b64encode(one).decode()
        elif isinstance(one, Plaintext):
            found[name] = f"{len(one)} bytes, not shown here"
    return found


@contextmanager
def sink(path: str) -> Iterator[Callable[[bytes], None]]:
    """Where bytes go: `-` is standard output, else a new file that has its name once all of them are in it.

    It is opened before anything is asked of the daemon: a file that is there, or cannot be, costs no answer.
    """
    if path == "-":
        yield show_bytes
        return
    from secretsd.client.encryption import new_file

    with new_file(path) as file:

        def write(data: bytes) -> None:
            left = memoryview(data)
            while left:
                left = left[file.write(left) :]

        yield write


def deliver(ask: "Callable[[], Response]", of: "Callable[[Any], bytes]", output: Form, to: str | None) -> None:
    """Ask for an answer that is about some bytes, and let these go to a file, or the answer to standard output."""
    if to is not None:
        with sink(to) as write:
            data = of(ask())
            write(data)
        if to != "-":
            show_lines([f"{to}: {len(data)} bytes"])
        return
    answer = ask()
    if output is Form.JSON:
        show_json(answer)
    elif output is Form.RAW:
        show_bytes(of(answer))
    else:
        show_fields(readable(answer))
