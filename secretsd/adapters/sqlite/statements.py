"""Named, described SQL statements, read from the `.sql` files beside this module."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

_HEADER = re.compile(r"^-- (?P<name>[a-z_]+)(?P<hot> \(hot\))?$")
_DESCRIPTION = re.compile(r"^-- ?(?P<text>.*)$")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. `hot` ones must find their rows by an index; a test asks SQLite for its plan of each."""

    name: str
    description: str
    sql: str
    hot: bool


def load(file: str, columns: Mapping[str, str] | None = None) -> dict[str, Statement]:
    """The statements of a file under `queries/`, by name; {table} in them becomes the table's `columns`."""
    text = resources.files(__package__).joinpath("queries", file).read_text(encoding="utf-8")
    found: dict[str, Statement] = {}
    for block in re.split(r"\n\n+", text.strip()):
        lines = block.splitlines()
        header = _HEADER.match(lines[0])
        if header is None:
            continue  # the sentence that opens the file
        comments = [line for line in lines[1:] if line.startswith("--")]
        sql = "\n".join(lines[1 + len(comments) :])
        for table, names in (columns or {}).items():
            sql = sql.replace(f"{{{table}}}", names)
        description = " ".join(match["text"] for line in comments if (match := _DESCRIPTION.match(line)))
        if header["name"] in found or not description or not sql:
            raise ValueError(f"cannot load {file}: statement {header['name']} is twice there, undescribed or empty")
        found[header["name"]] = Statement(header["name"], description, sql, header["hot"] is not None)
    return found
