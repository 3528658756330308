"""What the daemon encrypts and decrypts itself, up to 6 KiB, and data keys. Files of any size are in encryption.py."""

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from secretsd.api.cryptography import MAX_CIPHERTEXT_BYTES, EncryptionName
from secretsd.cli.ctl import sources
from secretsd.cli.ctl.encryption import Context, read_context
from secretsd.cli.ctl.key_arguments import Key, To, deliver, examples, sink
from secretsd.cli.ctl.output import Form, Output
from secretsd.cli.ctl.reach import reach
from secretsd.client.errors import ClientError
from secretsd.domain.sensitive import Plaintext

if TYPE_CHECKING:
    from secretsd.api.fields import BinaryValue
    from secretsd.client import Client

Algorithm = Annotated[
    EncryptionName | None,
    typer.Option(metavar="NAME", help="For RSA keys RSAES_OAEP_SHA_256 or RSAES_OAEP_SHA_1; others have one only."),
]


def binary(source: str) -> "BinaryValue":
    """A plaintext or message from standard input or a file, byte for byte; a terminal is asked without an echo."""
    from secretsd.api.fields import BinaryValue

    return BinaryValue(sources.read_value(source, binary=True).reveal())


def encrypt(
    ctx: typer.Context,
    key: Key,
    source: sources.Source,
    context: Context = None,
    algorithm: Algorithm = None,
    to: To = None,
    output: Output = Form.TABLE,
) -> None:
    """Have up to 6 KiB encrypted by the daemon; an RSA or SM2 key takes less, and no context.

    The answer shows the ciphertext in base64; -o raw and --to give its bytes.

    For more than that, and for often, there is secretsctl encrypt.
    """
    pairs, plaintext = read_context(context or []), binary(source)
    deliver(
        lambda: reach(ctx).run(
            lambda client: client.encrypt(key, plaintext=plaintext, context=pairs, algorithm=algorithm)
        ),
        lambda made: made.ciphertext,
        output,
        to,
    )


def decrypt(
    ctx: typer.Context,
    source: sources.Source,
    key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Only under this CMK; ciphertexts of RSA and SM2 keys need it.")
    ] = None,
    context: Context = None,
    algorithm: Algorithm = None,
    to: To = None,
    output: Output = Form.RAW,
) -> None:
    """Print what was encrypted by secretsctl key encrypt, or a data key, with the same context."""
    pairs, ciphertext = read_context(context or []), sources.read(source, "ciphertext", MAX_CIPHERTEXT_BYTES)
    deliver(
        lambda: reach(ctx).run(
            lambda client: client.decrypt(ciphertext=ciphertext, key=key, context=pairs, algorithm=algorithm)
        ),
        lambda opened: opened.plaintext.reveal(),
        output,
        to,
    )


def data_key(
    ctx: typer.Context,
    key: Key,
    to: Annotated[
        str, typer.Option("--to", metavar="FILE", help="Where it goes encrypted: a new file, or - for standard output.")
    ],
    plaintext_to: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Where it goes in clear: a new file of mode 0600, or -; else nowhere."),
    ] = None,
    spec: Annotated[
        Literal["AES_256", "AES_128"] | None, typer.Option(help="How long it is; AES_256 unless told otherwise.")
    ] = None,
    size: Annotated[
        int | None, typer.Option("--bytes", metavar="NUMBER", min=1, max=1024, help="Or so many bytes.")
    ] = None,
    context: Context = None,
) -> None:
    """Make a data key: encrypted under a CMK, and in clear only where you ask for it.

    secretsctl key decrypt opens the encrypted one, with the same context.
    """
    if to == plaintext_to:
        raise ClientError("cannot write both to one place: say two files, or - once")
    pairs = read_context(context or [])

    async def make(client: "Client") -> tuple[Plaintext | None, bytes]:
        if plaintext_to is None:
            sealed = await client.generate_data_key_without_plaintext(
                key, spec=spec, number_of_bytes=size, context=pairs
            )
            return None, sealed.ciphertext
        made = await client.generate_data_key(key, spec=spec, number_of_bytes=size, context=pairs)
        return made.plaintext, made.ciphertext

    # The encrypted one is written first: the other one alone would be a key that nobody has again.
    with nullcontext(None) if plaintext_to is None else sink(plaintext_to) as write_plaintext:
        with sink(to) as write:
            plaintext, ciphertext = reach(ctx).run(make)
            write(ciphertext)
        if write_plaintext is not None and plaintext is not None:
            write_plaintext(plaintext.reveal())


def add_to(group: typer.Typer) -> None:
    """Add these commands to the group of keys."""
    group.command(
        epilog=examples("secretsctl key encrypt alias/prod-db @password --context app=shop --to password.sealed")
    )(encrypt)
    group.command(epilog=examples("secretsctl key decrypt @password.sealed --context app=shop"))(decrypt)
    group.command(
        epilog=examples(
            "secretsctl key data-key alias/prod-db --to key.sealed",
            "secretsctl key data-key alias/prod-db --to key.sealed --plaintext-to - --bytes 64",
        )
    )(data_key)
