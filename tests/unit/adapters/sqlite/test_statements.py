"""Every named statement is described, can be prepared, and, where it is hot, finds its rows by an index."""

import re

import apsw
import pytest

from secretsd.adapters.sqlite.audit import EVENT_QUERIES
from secretsd.adapters.sqlite.codec import TABLES
from secretsd.adapters.sqlite.proof_uses import USE_QUERIES
from secretsd.adapters.sqlite.reads import RECORD_QUERIES
from secretsd.adapters.sqlite.schema import migrations
from secretsd.adapters.sqlite.statements import Statement, load

ON_MAIN = [*RECORD_QUERIES.values(), *load("main.sql").values(), *EVENT_QUERIES.values()]
ON_AUDIT = [*EVENT_QUERIES.values(), *USE_QUERIES.values()]
CHANGES = [
    Statement(f"{what}_{table.name}", "made by the codec", sql, hot=True)
    for table in TABLES.values()
    for what, sql in (("insert", table.insert), ("update", table.update), ("delete", table.delete))
]


def plan(database: str, statement: Statement) -> list[str]:
    connection = apsw.Connection(":memory:")
    for migration in migrations(database):
        connection.execute(migration)
    numbers = [int(number) for number in re.findall(r"\?(\d+)", statement.sql)]
    arguments = [None] * max(numbers, default=0)
    return [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + statement.sql, arguments)]


CASES = [
    *(("main", statement) for statement in [*ON_MAIN, *CHANGES] if statement.name != "start_log"),
    *(("audit", statement) for statement in ON_AUDIT),
]


@pytest.mark.parametrize(("database", "statement"), CASES, ids=lambda part: getattr(part, "name", part))
def test_hot_statements_search(database: str, statement: Statement) -> None:
    steps = plan(database, statement)
    scans = [step for step in steps if step.startswith("SCAN") and "VIRTUAL TABLE" not in step]
    if statement.hot:
        assert not scans, f"{statement.name} walks through a table: {steps}"
        assert not [step for step in steps if "USE TEMP B-TREE" in step], f"{statement.name} sorts: {steps}"


def test_most_statements_are_hot_and_a_cold_one_would_be_noticed() -> None:
    cold_ones = [statement.name for statement in ON_MAIN if not statement.hot]

    assert cold_ones == [
        "newest_token",
        "members",
        "users_with",
        "groups_with",
        "roles_with",
        "roles_trusting",
        "proof_spaces",
        "certificate_authorities",
        "token_issuers",
        "key_versions_wrapped_otherwise",
        "count_wrapped_otherwise",
        "rotation_states",
        "over_quota",
        "attached",
        "space_names",
        "identity",
        "data_version",
    ]
    cold = Statement("cold", "walks", "SELECT * FROM secrets WHERE description = ?1 ORDER BY changed_ms", hot=True)
    assert any(step.startswith("SCAN") for step in plan("main", cold))
    assert any("USE TEMP B-TREE" in step for step in plan("main", cold))


@pytest.mark.parametrize("statement", ON_MAIN, ids=lambda statement: statement.name)
def test_statements_are_whole(statement: Statement) -> None:
    assert statement.description.endswith(".")
    assert "{" not in statement.sql
    assert statement.sql.endswith(";")
