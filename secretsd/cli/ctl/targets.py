"""Targets: where credentials are rotated, who administers them there, and which account may rotate which logins."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from secretsd.cli.ctl import sources
from secretsd.cli.ctl.output import Form, Output, described, show_fields, show_json, show_lines, show_table
from secretsd.cli.ctl.reach import reach
from secretsd.client.errors import ClientError

if TYPE_CHECKING:
    from secretsd.api.fields import TextValue
    from secretsd.api.targets import TargetDescription
    from secretsd.client import Client

Target = Annotated[str, typer.Argument(help="The target's name.", show_default=False)]
Address = Annotated[str | None, typer.Option(metavar="-|@FILE", help="Where it is, as the rotator's JSON.")]
AdminLogin = Annotated[str | None, typer.Option(help="Who changes the logins there; each its own where nobody does.")]
AdminPassword = Annotated[
    str | None,
    typer.Option(metavar="-|@FILE", help="The administrator's password; a last line break is not part of it."),
]
Description = Annotated[str | None, typer.Option(help="What it is for.")]


class Login(NamedTuple):
    """Which account may rotate what: a login at the target, where `*` is any text."""

    account: str
    login: str


def login_of(text: str) -> Login:
    """Account and login of `123456789012=app_*`; anything else is a usage error."""
    account, _, login = text.partition("=")
    if not login:
        raise typer.BadParameter("say ACCOUNT=LOGIN, such as 123456789012=app_*")
    return Login(account, login)


Allow = Annotated[
    list[Login] | None,
    typer.Option(
        metavar="ACCOUNT=LOGIN",
        parser=login_of,
        help="Let an account rotate a login there; * is any text. May be given again.",
    ),
]


def create(
    ctx: typer.Context,
    target: Target,
    rotator: Annotated[str, typer.Option(help="The rotator that knows how to reach it.")],
    address: Annotated[str, typer.Option(metavar="-|@FILE", help="Where it is, as the rotator's JSON.")],
    admin_login: AdminLogin = None,
    admin_password: AdminPassword = None,
    allow: Allow = None,
    description: Description = None,
    output: Output = Form.TABLE,
) -> None:
    """Describe a system in which accounts may rotate logins."""
    place, password = _given(address, admin_login, admin_password)
    made = reach(ctx).run(
        lambda client: client.create_target(
            target=target,
            rotator=rotator,
            address=place or {},
            admin_login=admin_login,
            admin_password=password,
            logins=_with({}, allow or [], []),
            description=description or "",
        )
    )
    _show(made, output)


def update(
    ctx: typer.Context,
    target: Target,
    address: Address = None,
    admin_login: AdminLogin = None,
    admin_password: AdminPassword = None,
    no_admin: Annotated[bool, typer.Option("--no-admin", help="Each login changes itself from now on.")] = False,
    allow: Allow = None,
    withdraw: Annotated[
        list[Login] | None,
        typer.Option(metavar="ACCOUNT=LOGIN", parser=login_of, help="Take back what was allowed, as it was written."),
    ] = None,
    description: Description = None,
    output: Output = Form.TABLE,
) -> None:
    """Change a target; what is not named stays. Another address or administrator needs the password again."""
    if no_admin and (admin_login is not None or admin_password is not None):
        raise ClientError("cannot take the administrator away and name one: leave out --no-admin, or the others")
    place, password = _given(address, admin_login, admin_password)

    async def change(client: "Client") -> "TargetDescription":
        logins = None
        if allow or withdraw:
            logins = _with((await client.describe_target(target)).logins, allow or [], withdraw or [])
        return await client.update_target(
            target,
            address=place,
            admin_login="" if no_admin else admin_login,
            admin_password=password,
            logins=logins,
            description=description,
        )

    _show(reach(ctx).run(change), output)


def describe(ctx: typer.Context, target: Target, output: Output = Form.TABLE) -> None:
    """Tell all about a target but its administrator's password, which nobody gets back."""
    _show(reach(ctx).run(lambda client: client.describe_target(target)), output)


def list_targets(ctx: typer.Context, output: Output = Form.TABLE) -> None:
    """List the targets of this daemon."""
    from secretsd.api.targets import ListTargetsRequest, ListTargetsResponse

    async def collect(client: "Client") -> "list[TargetDescription]":
        pages = client.pages("ListTargets", ListTargetsRequest(), ListTargetsResponse)
        return [target async for page in pages for target in page.targets]

    found = reach(ctx).run(collect)
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(one.target for one in found)
    else:
        show_table(
            ("target", "rotator", "administrator", "accounts", "description"),
            ((one.target, one.rotator, one.admin_login or "", " ".join(one.logins), one.description) for one in found),
        )


def delete(ctx: typer.Context, target: Target) -> None:
    """Take a target away, once no secret holds a login there."""
    reach(ctx).run(lambda client: client.delete_target(target))
    show_lines([f"{target}: is no target any more"])


def _given(
    address: str | None, admin_login: str | None, admin_password: str | None
) -> "tuple[dict[str, Any] | None, TextValue | None]":
    """The address and the administrator's password, each from where its option says."""
    if address == "-" and admin_password == "-":
        raise ClientError("cannot read address and password both from standard input: give one as @FILE")
    place = None if address is None else sources.read_document(address, "address", dict[str, Any])
    if admin_password is None and admin_login and sys.stdin.isatty() and address != "-":
        admin_password = "-"
    return place, None if admin_password is None else _password(admin_password)


def _password(source: str) -> "TextValue":
    from secretsd.api.fields import BinaryValue, TextValue

    value = sources.read_value(source, binary=False)
    if isinstance(value, BinaryValue):
        raise ClientError("cannot take the administrator's password: it is not valid Unicode text")
    return TextValue(value.reveal().removesuffix(b"\n").removesuffix(b"\r"))


def _with(
    logins: Mapping[str, Sequence[str]], allowed: Sequence[Login], withdrawn: Sequence[Login]
) -> dict[str, tuple[str, ...]]:
    """The logins of each account after the change; ClientError when what is withdrawn was not allowed."""
    found = {account: list(patterns) for account, patterns in logins.items()}
    for account, login in withdrawn:
        if login not in found.get(account, []):
            raise ClientError(f"cannot withdraw {login} from account {account}: it is not allowed there as such")
        found[account].remove(login)
    for account, login in allowed:
        if login not in found.setdefault(account, []):
            found[account].append(login)
    return {account: tuple(patterns) for account, patterns in found.items() if patterns}


def _show(target: "TargetDescription", output: Form) -> None:
    if output is Form.JSON:
        show_json(target)
    elif output is Form.RAW:
        show_lines([target.target])
    else:
        fields = described(target)
        parts = {f"logins.{account}": patterns for account, patterns in fields.pop("logins").items()}
        place = {f"address.{name}": value for name, value in fields.pop("address").items()}
        show_fields({**fields, **place, **parts})


def add_to(app: typer.Typer) -> None:
    """Add this group to the program."""
    group = typer.Typer(no_args_is_help=True, help="Where credentials are rotated, for operators.")
    group.command()(create)
    group.command("list")(list_targets)
    for command in (describe, update, delete):
        group.command()(command)
    app.add_typer(group, name="target")
