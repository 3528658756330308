"""`secretsd check --hsm`: what the HSM can do with which key, and why not where it cannot."""

from collections.abc import Mapping, Sequence
from typing import Any

from secretsd.cli.ctl.output import Form, show_fields, show_json, show_lines, show_table

COLUMNS = ("KEY SPEC", "USAGE", "ALGORITHM", "CAN", "SUITE", "PROTECTION", "WHY NOT")


def show(report: Mapping[str, Any], form: Form) -> None:
    """Show what the probe found (`Probed` of the keystore process); a refused module has no lines, but its reason."""
    lines = rows(report)
    if form is Form.JSON:
        show_json(report)
    elif form is Form.RAW:
        show_lines("\t".join(line) for line in lines)
    else:
        show_fields({"module": report.get("module"), "token": report.get("token"), "root": _root(report)})
        if lines:
            show_table(COLUMNS, lines)


def _root(report: Mapping[str, Any]) -> str:
    kek_id = str(report.get("kek_id") or "")
    renewable = report.get("renewable", True)
    return kek_id if renewable else f"{kek_id} (can never be renewed: this HSM wraps by no trusted keys)"


def rows(report: Mapping[str, Any]) -> list[Sequence[str]]:
    """The lines of the table, a text for each column."""
    return [
        (
            one["spec"] or "(any)",
            one["usage"],
            one["algorithm"],
            "no" if one["reason"] else "yes",
            one["suite"],
            "" if one["reason"] else one["protection_level"],
            f"this HSM {one['reason']}" if one["reason"] else "",
        )
        for one in report.get("abilities", ())
    ]


def markdown(report: Mapping[str, Any]) -> str:
    """The table as documents show it (docs/reference/hsm-modules.md)."""
    head = [column.capitalize() for column in COLUMNS]
    lines = [head, ["---"] * len(head), *rows(report)]
    return "".join("| " + " | ".join(cell or " " for cell in line) + " |\n" for line in lines)
