"""Evidence of what the keys in the HSM are: taken on the host, checked anywhere."""

import base64
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from secretsd.cli.host import AskPin, Config, PinFd, end, reserve
from secretsd.cli.hsm.app import app, ceremonies, document_of, text_of, write_document
from secretsd.cli.hsm.transfer import fingerprint
from secretsd.settings import DEFAULT_CONFIG
from secretsd.supervisor.ceremony import CeremonyFailed


@app.command()
def attest(
    output: Annotated[Path, typer.Option(help="Where the evidence goes.")],
    config: Config = DEFAULT_CONFIG,
    pin_fd: PinFd = None,
    ask_pin: AskPin = False,
) -> None:
    """Read back what the module tells of the root keys and of a sample key of each kind, and have the HSM sign it."""
    held = ceremonies(config, pin_fd, ask_pin)
    reserve(output)
    try:
        told = held.hold("attest")
    except CeremonyFailed as error:
        output.unlink(missing_ok=True)
        end(str(error))
    write_document(output, told)
    for sentence in (*problems(told["evidence"]), *fixed_roots(told["evidence"])):
        typer.echo(sentence, err=True)
    if told.get("public_key"):
        typer.echo(f"signed by the token's key {fingerprint(told['public_key'])}")
    else:
        typer.echo(f"not signed: {told['unsigned_because']}")


@app.command("verify-evidence")
def verify_evidence(
    evidence: Annotated[Path, typer.Argument(help="What `attest` wrote.")],
    public_key: Annotated[
        Path | None, typer.Option(help="The token's key as it was known before; else the one in the evidence.")
    ] = None,
) -> None:
    """Check the signature of evidence, and whether the keys are what they have to be; needs no HSM."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    told = document_of(evidence)
    try:
        pem = told["public_key"] if public_key is None else text_of(public_key)
        key = load_pem_public_key(pem.encode())
        data = json.dumps(told["evidence"], sort_keys=True, separators=(",", ":")).encode()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise ValueError  # the same word for all that is no such evidence
        key.verify(base64.b64decode(told["signature"]), data, ec.ECDSA(hashes.SHA256()))
        found = problems(told["evidence"])
    except InvalidSignature:
        end("cannot trust the evidence: its signature is not that key's")
    except (KeyError, TypeError, ValueError, AttributeError):
        end(f"cannot check {evidence}: it is no signed evidence")
    for sentence in (*found, *fixed_roots(told["evidence"])):
        typer.echo(sentence, err=True)
    typer.echo(f"signed by the key {fingerprint(pem)}")
    if public_key is None:
        typer.echo("that key came with the evidence: compare it with what you knew before")
    if found:
        raise typer.Exit(1)


def problems(evidence: dict[str, Any]) -> list[str]:
    """A sentence for everything that is not as it has to be."""
    found = []
    for name, key in _keys(evidence):
        if key["material_shown"]:
            found.append(f"{name}: the module shows its material")
        wanted = {"sensitive": True, "private": True, "modifiable": False}
        found += [f"{name}: {one} is {key[one]}" for one, value in wanted.items() if key[one] is not value]
        if key["extractable"] is not False and key["wrap_with_trusted"] is not True:
            found.append(f"{name}: a key that is not trusted may wrap it")
    for root in evidence["roots"]:
        for name, use in (("kek", "decrypt"), ("kek", "sign"), ("mac_key", "decrypt"), ("mac_key", "wrap")):
            if root[name][use] is not False:
                found.append(f"root {root['generation']} {name}: it may {use}")
    return found


def fixed_roots(evidence: dict[str, Any]) -> list[str]:
    """A sentence for each root that cannot be renewed: no problem, but whoever reads the evidence should know."""
    return [
        f"root {root['generation']}: it can never be renewed, because the module wraps by no trusted keys"
        for root in evidence["roots"]
        if not root.get("renewable", True)
    ]


def _keys(evidence: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    keys = [
        (f"root {root['generation']} {name}", root[name]) for root in evidence["roots"] for name in ("kek", "mac_key")
    ]
    for name, sample in evidence["samples"].items():
        loaded = sample["loaded"]
        keys += [(name, key) for key in (loaded if isinstance(loaded, list) else [loaded])]
    return keys
