"""Bringing key material of one's own: parameters, import, and taking the material away again."""

import re
import time
from typing import Annotated

import typer

from secretsd.api.key_import import MAX_MATERIAL_BYTES, MAX_TOKEN_BYTES, WrappingKeyName, WrappingName
from secretsd.cli.ctl import sources
from secretsd.cli.ctl.key_arguments import Key, Yes, confirm, examples, show_answer, sink
from secretsd.cli.ctl.output import Form, Output, moment, show_json, show_lines
from secretsd.cli.ctl.reach import reach
from secretsd.cli.ctl.times import point, seconds
from secretsd.client.errors import ClientError


def moment_ahead(text: str) -> int:
    """Milliseconds since 1970: of an ISO date and time (UTC when it names no zone), or of a duration from now."""
    if re.fullmatch(r"[0-9]+[smhd]", text):
        return int(time.time() * 1000) + seconds(text) * 1000
    return point(text)


def parameters(
    ctx: typer.Context,
    key: Key,
    algorithm: Annotated[WrappingName, typer.Option(metavar="NAME", help="How the material will be wrapped.")],
    public_key: Annotated[
        str, typer.Option(metavar="FILE", help="A new file for the public key to wrap it under, in DER.")
    ],
    token: Annotated[str, typer.Option(metavar="FILE", help="A new file for the token that goes with it.")],
    wrapping_key: Annotated[WrappingKeyName, typer.Option(metavar="SPEC", help="What the public key is.")] = "RSA_2048",
    output: Output = Form.TABLE,
) -> None:
    """Get the public key under which the material of a CMK is to be wrapped. It is good for a day, for this CMK alone.

    Algorithms: RSAES_OAEP_SHA_1, RSAES_OAEP_SHA_256; for private keys too RSA_AES_KEY_WRAP_SHA_1 and _SHA_256.

    Public keys: RSA_2048, RSA_3072, RSA_4096. SM keys come in by SM2PKE under SM2.
    """
    if "-" in (public_key, token):
        raise ClientError("cannot write both to standard output: give a file for the public key and one for the token")
    with sink(public_key) as write_key, sink(token) as write_token:
        told = reach(ctx).run(
            lambda client: client.get_parameters_for_import(
                key, wrapping_algorithm=algorithm, wrapping_key_spec=wrapping_key
            )
        )
        write_key(told.public_key)
        write_token(told.import_token)
    if output is Form.JSON:
        show_json(told)
    elif output is Form.RAW:
        show_lines([public_key, token])
    else:
        show_lines([f"{told.id}: wrap by {told.wrapping_algorithm} under {public_key} and import with {token}"])
        show_lines([f"{told.id}: both are good until {moment(told.expires_ms)}"])


def import_(
    ctx: typer.Context,
    key: Key,
    source: sources.Source,
    token: Annotated[str, typer.Option(metavar="-|@FILE", help="The token that came with the public key.")],
    expires: Annotated[
        int | None,
        typer.Option(
            metavar="MOMENT",
            parser=moment_ahead,
            help="When the daemon takes it away again: 2027-01-31T12:00, or 365d from now; else never.",
        ),
    ] = None,
    output: Output = Form.TABLE,
) -> None:
    """Import the wrapped material of a CMK. One that had material before takes the same again, and no other."""
    if source == token == "-":
        raise ClientError("cannot read both from standard input: give the material or the token as @FILE")
    material = sources.read(source, "wrapped material", MAX_MATERIAL_BYTES)
    import_token = sources.read(token, "token", MAX_TOKEN_BYTES)
    done = reach(ctx).run(
        lambda client: client.import_key_material(
            key, import_token=import_token, encrypted_material=material, expires_ms=expires
        )
    )
    show_answer(done, output, done.state)


def delete_material(ctx: typer.Context, key: Key, yes: Yes = False, output: Output = Form.TABLE) -> None:
    """Take the imported material of a CMK away. Nothing under it can be read until the same is imported again."""
    confirm(f"take the material of key {key} away", "Only whoever has it can bring it back.", yes=yes)
    moved = reach(ctx).run(lambda client: client.delete_imported_key_material(key))
    show_answer(moved, output, moved.state)


def add_to(group: typer.Typer) -> None:
    """Add these commands to the group of keys."""
    asked = examples(
        "secretsctl key import-parameters alias/ours --algorithm RSA_AES_KEY_WRAP_SHA_1 --wrapping-key RSA_3072 "
        "--public-key wrapping.der --token token"
    )
    group.command("import-parameters", epilog=asked)(parameters)
    group.command("import", epilog=examples("secretsctl key import alias/ours @wrapped --token @token --expires 365d"))(
        import_
    )
    group.command(epilog=examples("secretsctl key delete-material alias/ours"))(delete_material)
