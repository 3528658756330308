"""Certificate authorities: whose client certificates prove who is calling, for which account."""

from typing import TYPE_CHECKING, Annotated

import typer

from secretsd.cli.ctl import sources
from secretsd.cli.ctl.account_arguments import account_number
from secretsd.cli.ctl.holders import call, show
from secretsd.cli.ctl.key_arguments import Yes, confirm, examples
from secretsd.cli.ctl.output import Form, Output, moment, show_json, show_lines, show_table
from secretsd.cli.ctl.reach import reach

if TYPE_CHECKING:
    from secretsd.api.certificate_authorities import CertificateAuthorityDescription
    from secretsd.client import Client

Name = Annotated[str, typer.Argument(help="The certificate authority's name.", show_default=False)]
Certificates = Annotated[str, typer.Option(metavar="-|@FILE", help="Its certificates, in PEM.")]
Crl = Annotated[str | None, typer.Option("--crl", metavar="-|@FILE", help="Its lists of revoked certificates, in PEM.")]


def create(
    ctx: typer.Context,
    certificate_authority: Name,
    account: Annotated[
        str,
        typer.Option(
            metavar="ACCOUNT", parser=account_number, help="The account that its certificates prove somebody of."
        ),
    ],
    certificates: Certificates,
    crl: Crl = None,
    output: Output = Form.TABLE,
) -> None:
    """Let client certificates of an authority prove who is calling; what they prove is bound by `binding create`."""
    made = call(
        ctx,
        "CreateCertificateAuthority",
        certificate_authority=certificate_authority,
        account=account,
        certificates=sources.read_text(certificates, "certificates"),
        crl=None if crl is None else sources.read_text(crl, "list of revoked certificates"),
    )
    show(made, output, certificate_authority)


def update(
    ctx: typer.Context, certificate_authority: Name, certificates: Certificates, output: Output = Form.TABLE
) -> None:
    """Change its certificates: while one takes the other's place, give the old and the new one together."""
    given = sources.read_text(certificates, "certificates")
    made = call(ctx, "UpdateCertificateAuthority", certificate_authority=certificate_authority, certificates=given)
    show(made, output, certificate_authority)


def revoke(
    ctx: typer.Context,
    certificate_authority: Name,
    crl: Annotated[str | None, typer.Argument(metavar="-|@FILE", help="The lists, in PEM.", show_default=False)] = None,
    no_crl: Annotated[bool, typer.Option("--no-crl", help="Take the lists away: nothing is revoked any more.")] = False,
    output: Output = Form.TABLE,
) -> None:
    """Set its lists of revoked certificates, all together; they count at once, on open connections too."""
    if (crl is None) == (not no_crl):
        raise typer.BadParameter("give either the lists or --no-crl")
    given = "" if crl is None else sources.read_text(crl, "list of revoked certificates")
    made = call(ctx, "UpdateCertificateRevocationList", certificate_authority=certificate_authority, crl=given)
    show(made, output, certificate_authority)


def describe(ctx: typer.Context, certificate_authority: Name, output: Output = Form.TABLE) -> None:
    """Tell all about a certificate authority: what is trusted, what is revoked, and how long either is good."""
    found = reach(ctx).run(lambda client: client.describe_certificate_authority(certificate_authority))
    show(found, output, certificate_authority)


def list_certificate_authorities(ctx: typer.Context, output: Output = Form.TABLE) -> None:
    """List the certificate authorities of this daemon."""
    from secretsd.api.certificate_authorities import (
        ListCertificateAuthoritiesRequest,
        ListCertificateAuthoritiesResponse,
    )

    async def collect(client: "Client") -> "list[CertificateAuthorityDescription]":
        request, response = ListCertificateAuthoritiesRequest(), ListCertificateAuthoritiesResponse
        pages = client.pages("ListCertificateAuthorities", request, response)
        return [one async for page in pages for one in page.certificate_authorities]

    found = reach(ctx).run(collect)
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(one.certificate_authority for one in found)
    else:
        show_table(
            ("certificate authority", "account", "good until", "lists good until"),
            (
                (
                    one.certificate_authority,
                    one.account,
                    moment(min(trusted.expires_ms for trusted in one.certificates)),
                    moment(min(listed.next_update_ms for listed in one.revocation_lists))
                    if one.revocation_lists
                    else "none",
                )
                for one in found
            ),
        )


def delete(ctx: typer.Context, certificate_authority: Name, yes: Yes = False) -> None:
    """Let its certificates prove nothing any more; bindings of what they prove have to go first."""
    what = f"delete certificate authority {certificate_authority}"
    confirm(what, "Whoever calls with a certificate of it is refused from now on.", yes=yes)
    reach(ctx).run(lambda client: client.delete_certificate_authority(certificate_authority))
    show_lines([f"certificate authority {certificate_authority}: deleted"])


def add_to(app: typer.Typer) -> None:
    """Add this group to the program."""
    group = typer.Typer(no_args_is_help=True, help="Certificate authorities: whose client certificates count.")
    group.command(
        epilog=examples("secretsctl certificate-authority create mesh --account 123456789012 --certificates @ca.pem")
    )(create)
    group.command("list")(list_certificate_authorities)
    group.command()(describe)
    group.command(epilog=examples("secretsctl certificate-authority update mesh --certificates @both.pem"))(update)
    group.command(epilog=examples("secretsctl certificate-authority revoke mesh @crl.pem"))(revoke)
    group.command(epilog=examples("secretsctl certificate-authority delete mesh --yes"))(delete)
    app.add_typer(group, name="certificate-authority")
