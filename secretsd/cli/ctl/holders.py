"""What the commands on users, groups and roles have in common: policies attached and of their own, boundaries, tags."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from secretsd.cli.ctl import sources
from secretsd.cli.ctl.key_arguments import Yes, confirm, examples
from secretsd.cli.ctl.output import Form, Output, described, show_fields, show_json, show_lines
from secretsd.cli.ctl.reach import reach
from secretsd.domain.errors import InvalidRequest

if TYPE_CHECKING:
    from secretsd.api.fields import Response

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name.", show_default=False)]
Policy = Annotated[str, typer.Argument(help="The policy's name.", show_default=False)]
Boundary = Annotated[str | None, typer.Option(metavar="POLICY", help="The policy that bounds all that others allow.")]
Description = Annotated[str, typer.Option(help="What it is for.")]
NewDescription = Annotated[str | None, typer.Option(help="What it is for.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", metavar="KEY=VALUE", help="A tag; may be given again.")]


def call(ctx: typer.Context, operation: str, **fields: Any) -> Any:
    """Call an operation by its name; fields that are None are left out."""
    from secretsd.client._generated_calls import ROUTES

    given = {name: value for name, value in fields.items() if value is not None}
    request = sources.as_request(given, ROUTES[operation].request)
    return reach(ctx).run(lambda client: client.call(operation, request))


def show(answer: "Response", output: Form, raw: str, text: str = "") -> None:
    """An answer; its field `text` is a document, which comes last and as it is."""
    if output is Form.JSON:
        show_json(answer)
    elif output is Form.RAW:
        show_lines([raw])
    else:
        fields = {name: value for name, value in described(answer).items() if value not in (None, "", (), {})}
        document = fields.pop(text, "")
        show_fields(fields)
        show_document(document)


def show_document(document: str) -> None:
    """A policy document, line by line."""
    show_lines(document.splitlines())


def tags_of(pairs: list[str] | None) -> dict[str, str]:
    """Tags out of KEY=VALUE; InvalidRequest for what is no pair."""
    found: dict[str, str] = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InvalidRequest("cannot read the tags: they are written KEY=VALUE")
        found[name] = value
    return found


def delete_command(group: typer.Typer, noun: str, consequence: str) -> None:
    """Add `delete` to the group of a noun."""

    def delete(ctx: typer.Context, name: Name, yes: Yes = False) -> None:
        confirm(f"delete {noun} {name}", consequence, yes=yes)
        call(ctx, f"Delete{noun.capitalize()}", **{noun: name})
        show_lines([f"{noun} {name}: deleted"])

    example = examples(f"secretsctl {noun} delete old --yes")
    group.command(help=f"Delete a {noun}. {consequence}", epilog=example)(delete)


def attachment_commands(group: typer.Typer, noun: str) -> None:
    """Add `attach` and `detach` to the group of a noun."""
    kind = "" if noun == "user" else noun.capitalize()

    def attach(ctx: typer.Context, name: Name, policy: Policy, output: Output = Form.TABLE) -> None:
        show(call(ctx, f"Attach{kind}Policy", **{noun: name, "policy": policy}), output, name, "trust")

    def detach(ctx: typer.Context, name: Name, policy: Policy, output: Output = Form.TABLE) -> None:
        show(call(ctx, f"Detach{kind}Policy", **{noun: name, "policy": policy}), output, name, "trust")

    group.command(help=f"Give a {noun} what a policy says.", epilog=_example(noun, "attach NAME readers"))(attach)
    group.command(help=f"Take from a {noun} what a policy says.", epilog=_example(noun, "detach NAME readers"))(detach)


def inline_commands(group: typer.Typer, noun: str) -> None:
    """Add `inline put|show|ls|delete` to the group of a noun."""
    kind = noun.capitalize()

    def put(ctx: typer.Context, name: Name, policy: Policy, source: sources.Source) -> None:
        document = sources.read_text(source, "policy")
        call(ctx, f"Put{kind}Policy", **{noun: name, "policy": policy, "document": document})
        show_lines([f"{noun} {name}: has policy {policy} of its own"])

    def show_one(ctx: typer.Context, name: Name, policy: Policy, output: Output = Form.TABLE) -> None:
        found = call(ctx, f"Get{kind}Policy", **{noun: name, "policy": policy})
        if output is Form.JSON:
            show_json(found)
        else:
            show_document(found.document)

    def ls(ctx: typer.Context, name: Name, output: Output = Form.TABLE) -> None:
        found = call(ctx, f"List{kind}Policies", **{noun: name})
        if output is Form.JSON:
            show_json(found)
        else:
            show_lines(found.policies)

    def delete(ctx: typer.Context, name: Name, policy: Policy) -> None:
        call(ctx, f"Delete{kind}Policy", **{noun: name, "policy": policy})
        show_lines([f"{noun} {name}: has policy {policy} of its own no more"])

    inline = typer.Typer(no_args_is_help=True, help=f"Policies of a {noun}'s own, which end with it.")
    inline.command(
        help=f"Give a {noun} a policy of its own, in place of the one of that name.",
        epilog=_example(noun, "inline put NAME own @policy.json"),
    )(put)
    inline.command("show", help=f"Show a policy of a {noun}'s own.")(show_one)
    inline.command(help=f"List the policies of a {noun}'s own.")(ls)
    inline.command(help=f"Take a policy of a {noun}'s own away.")(delete)
    group.add_typer(inline, name="inline")


def boundary_commands(group: typer.Typer, noun: str) -> None:
    """Add `boundary put|delete` to the group of a noun."""
    kind = noun.capitalize()

    def put(ctx: typer.Context, name: Name, policy: Policy, output: Output = Form.TABLE) -> None:
        bounded = call(ctx, f"Put{kind}PermissionsBoundary", **{noun: name, "boundary": policy})
        show(bounded, output, name, "trust")

    def delete(ctx: typer.Context, name: Name, output: Output = Form.TABLE) -> None:
        show(call(ctx, f"Delete{kind}PermissionsBoundary", **{noun: name}), output, name, "trust")

    boundary = typer.Typer(no_args_is_help=True, help=f"The policy that bounds all that others allow a {noun}.")
    boundary.command(help=f"Bound a {noun} by a policy.", epilog=_example(noun, "boundary put NAME within"))(put)
    boundary.command(help=f"Let a {noun} have all that its policies allow.")(delete)
    group.add_typer(boundary, name="boundary")


def tag_commands(group: typer.Typer, noun: str) -> None:
    """Add `tag` and `untag` to the group of a noun."""

    def tag(
        ctx: typer.Context,
        name: Name,
        tags: Annotated[list[str], typer.Argument(metavar="KEY=VALUE...", help="Tags to add.", show_default=False)],
    ) -> None:
        show_tags(f"{noun}/{name}", call(ctx, "TagResource", resource=f"{noun}/{name}", tags=tags_of(tags)).tags)

    def untag(
        ctx: typer.Context,
        name: Name,
        tags: Annotated[list[str], typer.Argument(metavar="KEY...", help="Keys of tags.", show_default=False)],
    ) -> None:
        show_tags(f"{noun}/{name}", call(ctx, "UntagResource", resource=f"{noun}/{name}", keys=tags).tags)

    group.command(
        help=f"Add tags to a {noun}; a tag that is there gets the new value.", epilog=_example(noun, "tag NAME team=a")
    )(tag)
    group.command(help=f"Take tags away from a {noun}.")(untag)


def show_tags(name: str, tags: Mapping[str, str]) -> None:
    """What is tagged how, in a line."""
    show_lines([f"{name}: {' '.join(f'{key}={value}' for key, value in tags.items()) or 'no tags'}"])


def _example(noun: str, words: str) -> str:
    named = {"user": "ann", "group": "dbas", "role": "deployer"}[noun]
    return examples(f"secretsctl {noun} {words.replace('NAME', named)}")
