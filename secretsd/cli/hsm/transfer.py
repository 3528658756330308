"""The root on its way from one token to another, so that two nodes with an HSM each share their keys."""

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Annotated

import typer

from secretsd.cli.host import AskPin, Config, PinFd, end, reserve
from secretsd.cli.hsm.app import SoPinFd, SoPinFile, app, ceremonies, so_pin_of, text_of, write_document
from secretsd.settings import DEFAULT_CONFIG
from secretsd.supervisor.ceremony import MAX_DOCUMENT_BYTES, CeremonyFailed
from secretsd.supervisor.identities import write_private
from secretsd.supervisor.initialise import has_root

_LOOK_SECONDS = 0.2
To = Annotated[Path, typer.Option("--to", help="The public key that `receive-root` wrote on the other node.")]


@app.command("send-root")
def send_root(
    to: To,
    output: Annotated[Path, typer.Option(help="Where the wrapped root goes; only that token opens it.")],
    generation: Annotated[int | None, typer.Option(help="Else the one that wraps now.")] = None,
    config: Config = DEFAULT_CONFIG,
    so_pin_fd: SoPinFd = None,
    so_pin_file: SoPinFile = None,
    pin_fd: PinFd = None,
    ask_pin: AskPin = False,
) -> None:
    """Wrap the root for another node's token, which waits for it in `receive-root`."""
    key = text_of(to)
    held = ceremonies(config, pin_fd, ask_pin)
    so_pin = so_pin_of(so_pin_fd, so_pin_file)
    reserve(output)
    try:
        sent = held.hold("send-root", so_pin=so_pin, receiver_public_key=key, generation=generation)
    except CeremonyFailed as error:
        output.unlink(missing_ok=True)
        end(str(error))
    write_document(output, sent)
    typer.echo(f"wrapped generation {sent['generation']} for the key {fingerprint(key)}")
    typer.echo(f"check value {sent['check']}: the other node must tell the same")


@app.command("receive-root")
def receive_root(
    key_output: Annotated[Path, typer.Option(help="Where this token's public key goes; carry it to the other node.")],
    document: Annotated[Path, typer.Option(help="Where the wrapped root will appear, moved there in one piece.")],
    output: Annotated[Path, typer.Option(help="Where a new token's SO PIN goes; take it off this host.")] = Path(
        "secretsd-recovery.json"
    ),
    wait_seconds: Annotated[float, typer.Option(help="How long to wait for the wrapped root.")] = 3600.0,
    config: Config = DEFAULT_CONFIG,
    so_pin_fd: SoPinFd = None,
    so_pin_file: SoPinFile = None,
    pin_fd: PinFd = None,
    ask_pin: AskPin = False,
) -> None:
    """Take up a root that another node sends, or that an operator recovered; a token is made for it if need be.

    The key that it is wrapped for lives in the HSM for as long as this command runs: keep it running.
    """
    held = ceremonies(config, pin_fd, ask_pin)
    new = not has_root(held.settings)
    so_pin = None if new else so_pin_of(so_pin_fd, so_pin_file)
    if document.exists():
        end(f"cannot wait for {document}: it exists already, and cannot be wrapped for this token's key")
    reserve(key_output)
    if new:
        reserve(output)

    def wrapped(public_key: str) -> bytes:
        write_private(key_output, public_key, None)
        typer.echo(f"wrap the root for {key_output}, the key {fingerprint(public_key)}, and put it at {document}")
        return _awaited(document, wait_seconds)

    try:
        arrived = held.receive(so_pin, wrapped, patience_seconds=300.0)
    except (CeremonyFailed, OSError) as error:
        if new:
            output.unlink(missing_ok=True)
        end(str(error))
    finally:
        key_output.unlink(missing_ok=True)
    typer.echo(f"took up generation {arrived['generation']} of the root; check value {arrived['check']}")
    if arrived["so_pin"] is not None:
        write_document(output, {"kek_id": arrived["kek_id"], "so_pin": arrived["so_pin"]})
        typer.echo(f"take {output} off this host: it holds the SO PIN; then put the storage in its place")
        typer.echo("and run secretsd init")


def fingerprint(public_key: str) -> str:
    """SHA-256 of the text, shortened so that two people can read it to each other."""
    digest = hashlib.sha256(public_key.strip().encode()).hexdigest()[:32]
    return " ".join(digest[at : at + 4] for at in range(0, 32, 4))


def _awaited(document: Path, seconds: float) -> bytes:
    """The file once it is there and whole; CeremonyFailed past the time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            data = document.read_bytes()
            if len(data) <= MAX_DOCUMENT_BYTES and isinstance(json.loads(data), dict):
                return data
        except FileNotFoundError:
            pass
        except OSError as error:
            raise CeremonyFailed(f"cannot read {document}: {os.strerror(error.errno or 0)}") from None
        except ValueError:
            pass  # it is still being written
        time.sleep(_LOOK_SECONDS)
    raise CeremonyFailed(f"cannot receive the root: {document} did not come within {seconds:g} s")
