"""Token issuers: whose JWTs prove who is calling, for which account."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from secretsd.cli.ctl import sources
from secretsd.cli.ctl.account_arguments import account_number
from secretsd.cli.ctl.holders import call, show
from secretsd.cli.ctl.key_arguments import Yes, confirm, examples
from secretsd.cli.ctl.output import Form, Output, show_json, show_lines, show_table
from secretsd.cli.ctl.reach import reach

if TYPE_CHECKING:
    from secretsd.api.token_issuers import TokenIssuerDescription
    from secretsd.client import Client

TokenIssuer = Annotated[str, typer.Argument(help="The token issuer's name.", show_default=False)]
Keys = Annotated[str | None, typer.Option(metavar="-|@FILE", help="Its keys, as a JWKS.")]
KeysURL = Annotated[str | None, typer.Option(metavar="URL", help="Where its JWKS is fetched from instead, https://….")]
Claim = Annotated[
    list[str] | None,
    typer.Option(
        help="A claim that makes up the proof: sub, or /kubernetes.io/namespace for one that lies deeper. May be given "
        "again. [default: sub]"
    ),
]


class Required(NamedTuple):
    """A claim that tokens must have, and its value."""

    claim: str
    value: str


def required_of(text: str) -> Required:
    """Claim and value of `repository_owner=octo-org`; anything else is a usage error."""
    claim, _, value = text.partition("=")
    if not claim or not value:
        raise typer.BadParameter("say CLAIM=VALUE, such as repository_owner=octo-org")
    return Required(claim, value)


Require = Annotated[
    list[Required] | None,
    typer.Option(
        metavar="CLAIM=VALUE",
        parser=required_of,
        help="A claim that tokens must have, and its value. May be given again.",
    ),
]


def create(
    ctx: typer.Context,
    token_issuer: TokenIssuer,
    account: Annotated[
        str,
        typer.Option(metavar="ACCOUNT", parser=account_number, help="The account that its tokens prove somebody of."),
    ],
    issuer: Annotated[str, typer.Option(help="What the tokens' iss says, to the letter.")],
    audience: Annotated[str, typer.Option(help="What the tokens' aud is, or holds, to the letter.")] = "secretsd",
    keys: Keys = None,
    keys_url: KeysURL = None,
    claim: Claim = None,
    require: Require = None,
    output: Output = Form.TABLE,
) -> None:
    """Let the JWTs of an issuer prove who is calling; what they prove is bound by `binding create`."""
    made = call(
        ctx,
        "CreateTokenIssuer",
        token_issuer=token_issuer,
        account=account,
        issuer=issuer,
        audience=audience,
        keys=None if keys is None else sources.read_text(keys, "JWKS"),
        keys_url=keys_url,
        claims=claim or None,
        required=_required(require),
    )
    show(made, output, token_issuer, "keys")


def update(
    ctx: typer.Context,
    token_issuer: TokenIssuer,
    audience: Annotated[str | None, typer.Option(help="What the tokens' aud is, or holds, to the letter.")] = None,
    keys: Keys = None,
    keys_url: KeysURL = None,
    claim: Claim = None,
    require: Require = None,
    require_nothing: Annotated[
        bool, typer.Option("--require-nothing", help="No claim has to have a certain value any more.")
    ] = False,
    output: Output = Form.TABLE,
) -> None:
    """Change a token issuer; what is not given stays. Claims, and those required, are given all together."""
    changed = call(
        ctx,
        "UpdateTokenIssuer",
        token_issuer=token_issuer,
        audience=audience,
        keys=None if keys is None else sources.read_text(keys, "JWKS"),
        keys_url=keys_url,
        claims=claim or None,
        required={} if require_nothing else _required(require),
    )
    show(changed, output, token_issuer, "keys")


def describe(ctx: typer.Context, token_issuer: TokenIssuer, output: Output = Form.TABLE) -> None:
    """Tell all about a token issuer, and how the keys at its URL are doing."""
    show(reach(ctx).run(lambda client: client.describe_token_issuer(token_issuer)), output, token_issuer, "keys")


def list_token_issuers(ctx: typer.Context, output: Output = Form.TABLE) -> None:
    """List the token issuers of this daemon."""
    from secretsd.api.token_issuers import ListTokenIssuersRequest, ListTokenIssuersResponse

    async def collect(client: "Client") -> "list[TokenIssuerDescription]":
        pages = client.pages("ListTokenIssuers", ListTokenIssuersRequest(), ListTokenIssuersResponse)
        return [one async for page in pages for one in page.token_issuers]

    found = reach(ctx).run(collect)
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(one.token_issuer for one in found)
    else:
        show_table(
            ("token issuer", "account", "issuer", "audience", "claims", "keys"),
            (
                (one.token_issuer, one.account, one.issuer, one.audience, " ".join(one.claims), one.keys_url or "given")
                for one in found
            ),
        )


def delete(ctx: typer.Context, token_issuer: TokenIssuer, yes: Yes = False) -> None:
    """Let the tokens of an issuer prove nothing any more; bindings of what they prove have to go first."""
    confirm(f"delete token issuer {token_issuer}", "Whoever calls with its tokens is refused from now on.", yes=yes)
    reach(ctx).run(lambda client: client.delete_token_issuer(token_issuer))
    show_lines([f"token issuer {token_issuer}: deleted"])


def _required(pairs: list[Required] | None) -> Mapping[str, str] | None:
    return dict(pairs) if pairs else None


def add_to(app: typer.Typer) -> None:
    """Add this group to the program."""
    group = typer.Typer(no_args_is_help=True, help="Token issuers: whose JWTs prove who is calling.")
    group.command(
        epilog=examples(
            "secretsctl token-issuer create cluster --account 123456789012 --keys @jwks.json "
            "--issuer https://kubernetes.default.svc.cluster.local"
        )
    )(create)
    group.command("list")(list_token_issuers)
    group.command()(describe)
    group.command(epilog=examples("secretsctl token-issuer update cluster --keys @jwks.json"))(update)
    group.command(epilog=examples("secretsctl token-issuer delete cluster --yes"))(delete)
    app.add_typer(group, name="token-issuer")
