"""Questions about policies: why something is denied, who may do it, and what somebody would need for what he does."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from secretsd.cli.ctl.holders import call, show_document
from secretsd.cli.ctl.key_arguments import examples
from secretsd.cli.ctl.output import Form, Output, moment, printable, show_fields, show_json, show_lines, show_table
from secretsd.cli.ctl.reach import reach
from secretsd.domain.errors import InvalidRequest

if TYPE_CHECKING:
    from secretsd.api.policy_explanations import ConditionTold, ExplainDecisionResponse, StatementTold, WhoMay
    from secretsd.client import Client

PREFIX = "secretsd:"
Principal = Annotated[str, typer.Argument(metavar="PRINCIPAL", help="user/NAME or role/NAME.", show_default=False)]
Action = Annotated[str, typer.Argument(metavar="ACTION", help="An operation's name.", show_default=False)]
Resource = Annotated[
    str, typer.Argument(metavar="RESOURCE", help="A path such as secret/prod/db, or in full.", show_default=False)
]


def explain(
    ctx: typer.Context,
    principal: Principal,
    action: Action,
    resource: Resource,
    fact: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="What a condition asks, such as SourceIp=10.0.0.1; may be given again."),
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="What the request does not have; may be given again.")
    ] = None,
    output: Output = Form.TABLE,
) -> None:
    """Say whether a user or role may do something, and which statement decides.

    Conditions whose facts are neither given nor in records (tags, the time) are told as unknown.
    """
    facts = _facts(fact, without)
    found = call(ctx, "ExplainDecision", principal=principal, action=action, resource=resource, facts=facts or None)
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines([found.decision])
    else:
        _show(found)


def _facts(given: list[str] | None, absent: list[str] | None) -> dict[str, list[str]]:
    facts: dict[str, list[str]] = {}
    for pair in given or ():
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InvalidRequest("cannot read the facts: they are written KEY=VALUE")
        facts.setdefault(_key(name), []).append(value)
    for name in absent or ():
        if _key(name) in facts:
            raise InvalidRequest(f"cannot take the fact {name}: it is both given and absent")
        facts[_key(name)] = []
    return facts


def _key(name: str) -> str:
    return PREFIX + name.removeprefix(PREFIX)


def _show(found: "ExplainDecisionResponse") -> None:
    about = {
        "decision": found.decision,
        "why": found.told,
        "unknown": found.unknown,
        "owner": "" if found.owner_shown else "not shown",
        "principal": found.principal,
        "action": found.action,
        "resource": found.resource,
    }
    show_fields(about)
    if found.statements:
        show_lines([""])
        show_table(
            ("holds", "side", "statement", "conditions"),
            (
                (one.holds, one.side, _place(one), "; ".join(map(_condition, one.conditions)))
                for one in found.statements
            ),
        )
    if found.left_out:
        show_lines([f"and {found.left_out} more"])


def _place(one: "StatementTold | WhoMay") -> str:
    place = one.source if one.source.startswith("grant/") else f"{one.source} {one.number}"
    return f"{place} ({one.sid})" if one.sid else place


def _condition(one: "ConditionTold") -> str:
    return f"{one.operator} {one.key} {' '.join(one.values)}: {one.holds}"


def who_can(ctx: typer.Context, action: Action, resource: Resource, output: Output = Form.TABLE) -> None:
    """List who may do something with a resource of the account: users, roles, and others whom its owner names."""
    from secretsd.api.policy_explanations import WhoCanRequest, WhoCanResponse

    async def collect(client: "Client") -> "list[WhoMay]":
        pages = client.pages("WhoCan", WhoCanRequest(action=action, resource=resource), WhoCanResponse)
        return [one async for page in pages for one in page.principals]

    found = reach(ctx).run(collect)
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(one.principal for one in found)
    else:
        show_table(("principal", "by", "if"), ((one.principal, _place(one), _if(one)) for one in found))


def _if(one: "WhoMay") -> str:
    account = ["his account allows it too"] if one.account_decides else []
    return ", ".join([*one.unknown, *account])


def from_use(
    ctx: typer.Context,
    principal: Principal,
    days: Annotated[int, typer.Option(metavar="DAYS", min=1, max=3660, help="How far to look back.")] = 30,
    generalise: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, max=1000, help="Let a pattern stand for more than N names under one path used alike."
        ),
    ] = None,
    output: Output = Form.TABLE,
) -> None:
    """Draft a policy that allows what a user or role did, and no more; the document goes to standard output.

    What the draft allows beyond that, and what it could not take in, is said on standard error.
    """
    found = call(ctx, "DraftPolicyFromUse", principal=principal, days=days, generalise=generalise)
    if output is Form.JSON:
        show_json(found)
        return
    show_document(found.document or "")
    if found.document is None:
        _warn(f"{found.principal} did nothing in that time that a policy could allow: {found.events} events")
    for pattern in found.generalised:
        _warn(f"wider than what was used: {pattern}")
    for one in found.left_out:
        _warn(f"left out: {one}")
    if not found.complete:
        _warn(f"only events until {moment(found.until_ms)} were looked at: ask for fewer days")


def _warn(text: str) -> None:
    sys.stderr.write(f"secretsctl: {printable(text)}\n")


def keys(ctx: typer.Context, output: Output = Form.TABLE) -> None:
    """List what conditions may ask about."""
    found = call(ctx, "ListConditionKeys").keys
    if output is Form.JSON:
        show_json(found)
    elif output is Form.RAW:
        show_lines(one.key for one in found)
    else:
        show_table(
            ("key", "type", "values", "meaning"),
            ((one.key, one.type, ("one", "many")[one.many], one.meaning) for one in found),
        )


def add_to(group: typer.Typer) -> None:
    """Add these to the group of policies."""
    example = "secretsctl policy explain user/ann GetSecretValue secret/prod/db --fact SourceIp=10.0.0.1"
    group.command(epilog=examples(example))(explain)
    group.command("who-can", epilog=examples("secretsctl policy who-can Decrypt alias/orders"))(who_can)
    group.command("from-use", epilog=examples("secretsctl policy from-use user/shop --days 30"))(from_use)
    group.command(epilog=examples("secretsctl policy keys"))(keys)
