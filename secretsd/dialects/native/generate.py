"""Writes what is derived from operations and domain and committed: `./dev generate`; a test proves it fresh."""

from collections.abc import Mapping
from pathlib import Path

from secretsd.dialects.native import openapi, rotation_reference
from secretsd.dialects.native.client_calls import render
from secretsd.dialects.native.errors import STATUS
from secretsd.domain.errors import SecretsdError
from secretsd.operations.catalogue import catalogue
from secretsd.operations.registry import EXTRA_PERMISSIONS, Operation

ROOT = Path(__file__).parents[3]


def derived() -> dict[Path, str]:
    """Every derived file and its text."""
    operations = catalogue()
    return {
        ROOT / "docs/reference/openapi.json": openapi.text(operations),
        ROOT / "docs/reference/operations.md": _operations(operations),
        ROOT / "docs/reference/errors.md": _errors(),
        ROOT / "docs/reference/rotation.md": rotation_reference.render(),
        ROOT / "secretsd/client/_generated_calls.py": render(operations),
    }


def main() -> None:
    """Write them."""
    for path, text in derived().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def _operations(operations: Mapping[str, Operation]) -> str:
    lines = [
        "# Operations",
        "",
        "An operation's name is its permission: policies speak of these names. Made by `./dev generate`.",
        "",
        "| Operation | Route | What it does | Shown in events |",
        "|---|---|---|---|",
    ]
    for name, operation in sorted(operations.items()):
        if operation.route is not None:
            route = f"`{operation.route.method} {operation.route.path}`"
            audited = ", ".join(operation.audited) or "-"
            lines.append(f"| {name} | {route} | {operation.summary.splitlines()[0]} | {audited} |")
    lines += ["", "Steps of scheduled work have no route; they run as the account's rotation role:", ""]
    lines += [
        f"- {name}: {operation.summary.splitlines()[0]}"
        for name, operation in sorted(operations.items())
        if operation.route is None
    ]
    extra = ", ".join(sorted(EXTRA_PERMISSIONS))
    lines += ["", f"Permissions without an operation of their own, checked on keys that guard secrets: {extra}.", ""]
    return "\n".join(lines)


def _errors() -> str:
    lines = [
        "# Errors",
        "",
        "One kind, one row; each dialect's table is proved total. Made by `./dev generate`.",
        "",
        "| Kind | HTTP status | Sentence when nothing more is known |",
        "|---|---|---|",
    ]
    # The domain's own: whoever also imported the client would count its errors in.
    kinds = [kind for kind in SecretsdError.__subclasses__() if kind.__module__ == SecretsdError.__module__]
    sentences = {kind.kind: (kind.__doc__ or "").strip() for kind in kinds}
    lines += [f"| {kind.value} | {status} | {sentences[kind]} |" for kind, status in STATUS.items()]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
