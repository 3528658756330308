"""CMKs: made, found, described, tagged; their versions and public halves. Their material stays in the HSM."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from secretsd.api.keys import Spec, State, Usage
from secretsd.cli.ctl import cryptography, key_import, key_lifecycle, key_rotation, signatures
from secretsd.cli.ctl.holders import Tags, show_tags, tags_of
from secretsd.cli.ctl.key_arguments import Key, To, deliver, examples, readable, show_answer
from secretsd.cli.ctl.output import Form, Output, moment, show_fields, show_json, show_lines, show_table
from secretsd.cli.ctl.reach import reach

if TYPE_CHECKING:
    from secretsd.api.key_lifecycle import GetPublicKeyResponse, KeyVersionDescription
    from secretsd.api.keys import KeyDescription
    from secretsd.client import Client


def create(
    ctx: typer.Context,
    spec: Annotated[Spec, typer.Option(metavar="SPEC", help="What it is.")] = "AES_256",
    usage: Annotated[
        Usage | None, typer.Option(metavar="USAGE", help="What it is for, where its spec leaves a choice.")
    ] = None,
    external: Annotated[bool, typer.Option("--external", help="Its material will be imported.")] = False,
    alias: Annotated[str | None, typer.Option(metavar="NAME", help="A first alias.")] = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    tag: Tags = None,
    protect: Annotated[bool, typer.Option("--protect", help="Protect it from deletion.")] = False,
    output: Output = Form.TABLE,
) -> None:
    """Make a CMK in the HSM.

    AES_256, AES_192, AES_128 and SM4 encrypt (ENCRYPT_DECRYPT).

    RSA_2048, RSA_3072, RSA_4096 and SM2 sign (SIGN_VERIFY), or with --usage encrypt.

    ECC_NIST_P256, _P384, _P521, ECC_SECG_P256K1, ECC_NIST_EDWARDS25519 sign.

    HMAC_256, HMAC_384 and HMAC_512 authenticate (GENERATE_VERIFY_MAC).
    """
    tags = tags_of(tag)
    made = reach(ctx).run(
        lambda client: client.create_key(
            spec=spec,
            usage=usage,
            origin="EXTERNAL" if external else "HSM",
            description=description,
            tags=tags,
            alias=None if alias is None else alias.removeprefix("alias/"),
            deletion_protection=protect,
        )
    )
    _show(made, output)


def ls(
    ctx: typer.Context,
    state: Annotated[
        State | None, typer.Option(metavar="STATE", help="Those in this state; else all but destroyed ones.")
    ] = None,
    spec: Annotated[Spec | None, typer.Option(metavar="SPEC", help="Those of this spec.")] = None,
    usage: Annotated[Usage | None, typer.Option(metavar="USAGE", help="Those of this usage.")] = None,
    owner: Annotated[Literal["customer", "service"] | None, typer.Option(help="Yours, or the service's own.")] = None,
    tag: Tags = None,
    output: Output = Form.TABLE,
) -> None:
    """List the CMKs of the account.

    States: pending-import, enabled, disabled, pending-deletion, destroyed.
    """
    from secretsd.api.keys import ListKeysRequest, ListKeysResponse

    request = ListKeysRequest(state=state, spec=spec, usage=usage, owner=owner, tags=tuple(tag or ()))

    async def collect(client: "Client") -> "list[KeyDescription]":
        pages = client.pages("ListKeys", request, ListKeysResponse)
        return [key async for page in pages for key in page.keys]

    found = reach(ctx).run(collect)
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(key.id for key in found)
    else:
        show_table(
            ("key", "state", "spec", "usage", "version", "created", "description"),
            (
                (k.id, k.state, k.spec, k.usage, str(k.current_version), moment(k.created_ms), k.description)
                for k in found
            ),
        )


def describe(ctx: typer.Context, key: Key, output: Output = Form.TABLE) -> None:
    """Tell all about a CMK but its material.

    Of one that waits for its deletion also how many secret versions go with it.
    """
    _show(reach(ctx).run(lambda client: client.describe_key(key)), output)


def update(
    ctx: typer.Context,
    key: Key,
    description: Annotated[str, typer.Option(help="What it is for.", show_default=False)],
    output: Output = Form.TABLE,
) -> None:
    """Change what a CMK is described as."""
    _show(reach(ctx).run(lambda client: client.update_key_description(key, description=description)), output)


def tag(
    ctx: typer.Context,
    key: Key,
    tags: Annotated[list[str], typer.Argument(metavar="KEY=VALUE...", help="Tags to add.", show_default=False)],
) -> None:
    """Add tags to a CMK; a tag that is there gets the new value."""
    given = tags_of(tags)
    show_tags(key, reach(ctx).run(lambda client: client.tag_resource(_resource(key), tags=given)).tags)


def untag(
    ctx: typer.Context,
    key: Key,
    tags: Annotated[list[str], typer.Argument(metavar="KEY...", help="Keys of tags.", show_default=False)],
) -> None:
    """Take tags away from a CMK."""
    show_tags(key, reach(ctx).run(lambda client: client.untag_resource(_resource(key), keys=tuple(tags))).tags)


def versions(ctx: typer.Context, key: Key, output: Output = Form.TABLE) -> None:
    """List the versions of a CMK, the newest first. The current one encrypts; all that are live decrypt."""
    from secretsd.api.key_lifecycle import ListKeyVersionsRequest, ListKeyVersionsResponse

    async def collect(client: "Client") -> "list[KeyVersionDescription]":
        pages = client.pages("ListKeyVersions", ListKeyVersionsRequest(key=key), ListKeyVersionsResponse)
        return [one async for page in pages for one in page.versions]

    found = reach(ctx).run(collect)
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(str(one.version) for one in found)
    else:
        show_table(
            ("version", "state", "current", "created"),
            ((str(v.version), v.state, "yes" if v.current else "", moment(v.created_ms)) for v in found),
        )


def public_key(
    ctx: typer.Context,
    key: Key,
    der: Annotated[bool, typer.Option("--der", help="DER in place of PEM.")] = False,
    to: To = None,
    output: Output = Form.RAW,
) -> None:
    """Print the public half of an RSA, ECC or SM2 key, as PEM (RFC 7468) for use by other programs."""

    def of(found: "GetPublicKeyResponse") -> bytes:
        return found.public_key if der else found.pem.encode()

    deliver(lambda: reach(ctx).run(lambda client: client.get_public_key(key)), of, output, to)


def _show(key: "KeyDescription", output: Form) -> None:
    if output is not Form.TABLE:
        show_answer(key, output, key.id)
        return
    fields = readable(key)
    more = fields.pop("guarded_secret_versions_more")
    if more:
        fields["guarded_secret_versions"] = f"more than {key.guarded_secret_versions}"
    show_fields(fields)


def _resource(key: str) -> str:
    """The key as TagResource names it: a full name without its account, which is the caller's."""
    if key.startswith("secretsd:"):
        key = key.split(":", 2)[-1]
    return key if "/" in key else f"key/{key}"


def add_to(app: typer.Typer) -> None:
    """Add this group to the program."""
    group = typer.Typer(no_args_is_help=True, help="Customer master keys (CMKs).")
    create_examples = examples(
        "secretsctl key create --alias prod-db",
        "secretsctl key create --spec RSA_3072 --usage SIGN_VERIFY --alias release --protect",
    )
    group.command(epilog=create_examples)(create)
    group.command(epilog=examples("secretsctl key ls --spec AES_256 --tag team=shop -o json"))(ls)
    group.command("list", hidden=True)(ls)
    group.command(epilog=examples("secretsctl key describe alias/prod-db"))(describe)
    group.command(epilog=examples("secretsctl key update alias/prod-db --description 'of the shop'"))(update)
    group.command(epilog=examples("secretsctl key tag alias/prod-db team=shop stage=prod"))(tag)
    group.command(epilog=examples("secretsctl key untag alias/prod-db stage"))(untag)
    group.command(epilog=examples("secretsctl key versions alias/prod-db"))(versions)
    group.command("public-key", epilog=examples("secretsctl key public-key alias/release --to release.pem"))(public_key)
    for part in (key_lifecycle, key_rotation, key_import, cryptography, signatures):
        part.add_to(group)
    app.add_typer(group, name="key")
