"""The query plan of every hot statement: each must find its rows by an index, however many there are."""

import re
from pathlib import Path

import apsw

from benchmarks.figures import Figure
from benchmarks.options import Options
from secretsd.adapters.sqlite.codec import COLUMNS
from secretsd.adapters.sqlite.connections import AUDIT, MAIN, Use, connect
from secretsd.adapters.sqlite.schema import migrate
from secretsd.adapters.sqlite.statements import Statement, load

FILES = {"records.sql": (MAIN,), "main.sql": (MAIN,), "events.sql": (MAIN, AUDIT), "uses.sql": (AUDIT,)}
_STEPS = ("SEARCH ", "SCAN ", "USE TEMP B-TREE")
_PARAMETER = re.compile(r"\?([0-9]+)")


def run(options: Options) -> list[Figure]:
    """A figure for each hot statement and file that it is used on; the bar is that nothing is scanned or sorted."""
    directory = options.directory / "plans"
    directory.mkdir(mode=0o700)
    migrate(directory)
    figures = []
    for file, databases in FILES.items():
        for statement in load(file, COLUMNS).values():
            for database in databases if statement.hot else ():
                figures += _figure(directory, database, statement)
    return figures


def _figure(directory: Path, database: str, statement: Statement) -> list[Figure]:
    connection = connect(directory / database, Use.READ, busy_ms=1000)
    try:
        steps = plan(connection, statement.sql)
    except apsw.SQLError:
        return []  # its tables are in the other file
    finally:
        connection.close()
    found = "; ".join(steps).replace("sqlite_autoindex_", "").replace("SEARCH ", "") or "no table is read"
    return [Figure(f"plan, {database}: {statement.name}", found, "by an index", all(map(indexed, steps)))]


def plan(connection: apsw.Connection, sql: str) -> list[str]:
    """How a statement gets at tables, in SQLite's own words; lists among its arguments are no tables."""
    arguments = [None] * max((int(number) for number in _PARAMETER.findall(sql)), default=0)
    steps = [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", arguments)]
    return [step for step in steps if step.startswith(_STEPS) and "VIRTUAL TABLE" not in step]


def indexed(step: str) -> bool:
    """Whether a step of a plan costs the same however many rows there are, apart from those that it finds."""
    return step.startswith("SEARCH ")
