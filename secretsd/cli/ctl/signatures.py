"""Signatures and MACs, made and checked: sign, verify, mac, verify-mac."""

from typing import TYPE_CHECKING, Annotated

import typer

from secretsd.api.signatures import SigningName
from secretsd.cli.ctl import sources
from secretsd.cli.ctl.cryptography import binary
from secretsd.cli.ctl.failures import FAILED
from secretsd.cli.ctl.key_arguments import Key, To, deliver, examples, show_answer
from secretsd.cli.ctl.output import Form, Output
from secretsd.cli.ctl.reach import reach
from secretsd.client.errors import ClientError

if TYPE_CHECKING:
    from secretsd.api.signatures import VerifyMacResponse, VerifyResponse

MAX_SIGNATURE_BYTES = 1023
"""More than any signature or MAC has."""
Algorithm = Annotated[
    SigningName | None,
    typer.Option(
        metavar="NAME",
        help="For RSA keys RSASSA_PSS_SHA_256, RSASSA_PKCS1_V1_5_SHA_256, or either with 384 or 512; others have one.",
    ),
]
Digest = Annotated[bool, typer.Option("--digest", help="What is given is the message's digest.")]


def sign(
    ctx: typer.Context,
    key: Key,
    source: sources.Source,
    algorithm: Algorithm = None,
    digest: Digest = False,
    to: To = None,
    output: Output = Form.TABLE,
) -> None:
    """Sign a message of at most 4 KiB, or the digest of one by the algorithm's hash.

    The answer shows the signature in base64, -o raw and --to give its bytes; those of ECC keys are in DER.
    """
    message = binary(source)
    deliver(
        lambda: reach(ctx).run(
            lambda client: client.sign(
                key, message=message, message_type="DIGEST" if digest else "RAW", algorithm=algorithm
            )
        ),
        lambda made: made.signature,
        output,
        to,
    )


def verify(
    ctx: typer.Context,
    key: Key,
    source: sources.Source,
    signature: Annotated[str, typer.Option(metavar="-|@FILE", help="The signature.")],
    algorithm: Algorithm = None,
    digest: Digest = False,
    output: Output = Form.TABLE,
) -> None:
    """Tell whether a signature is the key's, of this message; the exit code is 1 where it is not."""
    given = _proof(source, signature, "signature")
    message = binary(source)
    _show(
        reach(ctx).run(
            lambda client: client.verify(
                key,
                message=message,
                message_type="DIGEST" if digest else "RAW",
                algorithm=algorithm,
                signature=given,
            )
        ),
        output,
    )


def mac(ctx: typer.Context, key: Key, source: sources.Source, to: To = None, output: Output = Form.TABLE) -> None:
    """Compute the MAC of a message of at most 4 KiB."""
    message = binary(source)
    deliver(
        lambda: reach(ctx).run(lambda client: client.generate_mac(key, message=message)),
        lambda made: made.mac,
        output,
        to,
    )


def verify_mac(
    ctx: typer.Context,
    key: Key,
    source: sources.Source,
    mac: Annotated[str, typer.Option(metavar="-|@FILE", help="What is said to be its MAC.")],
    output: Output = Form.TABLE,
) -> None:
    """Tell whether a MAC is the key's, of this message; the exit code is 1 where it is not."""
    given = _proof(source, mac, "MAC")
    message = binary(source)
    _show(reach(ctx).run(lambda client: client.verify_mac(key, message=message, mac=given)), output)


def _proof(source: str, given: str, what: str) -> bytes:
    if source == given == "-":
        raise ClientError(f"cannot read both from standard input: give the message or the {what} as @FILE")
    return sources.read(given, what, MAX_SIGNATURE_BYTES)


def _show(answer: "VerifyResponse | VerifyMacResponse", output: Form) -> None:
    show_answer(answer, output, "valid" if answer.valid else "not valid")
    if not answer.valid:
        raise typer.Exit(FAILED)


def add_to(group: typer.Typer) -> None:
    """Add these commands to the group of keys."""
    signing = examples(
        "secretsctl key sign alias/release @notes.txt --algorithm RSASSA_PSS_SHA_256 --to notes.sig",
        "openssl dgst -sha256 -binary release.tar | secretsctl key sign alias/release - --digest "
        "--algorithm RSASSA_PSS_SHA_256 -o raw",
    )
    group.command(epilog=signing)(sign)
    checking = "secretsctl key verify alias/release @notes.txt --signature @notes.sig --algorithm RSASSA_PSS_SHA_256"
    group.command(epilog=examples(checking))(verify)
    group.command(epilog=examples("secretsctl key mac alias/webhooks @body --to body.mac"))(mac)
    group.command(epilog=examples("secretsctl key verify-mac alias/webhooks @body --mac @body.mac"))(verify_mac)
