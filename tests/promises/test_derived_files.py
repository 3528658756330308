"""What is derived from the declared operations is committed as `./dev generate` makes it, and says what is true."""

import json

import pytest

from secretsd.client import errors as client_errors
from secretsd.dialects.native import errors, generate
from secretsd.dialects.native.generate import ROOT, derived
from secretsd.domain.errors import ErrorKind, SecretsdError
from secretsd.operations.catalogue import catalogue

DERIVED = derived()
DOCUMENT = json.loads(DERIVED[ROOT / "docs/reference/openapi.json"])
ROUTED = {name: operation for name, operation in catalogue().items() if operation.route is not None}


@pytest.mark.parametrize("path", DERIVED, ids=lambda path: path.name)
def test_a_derived_file_is_committed_as_it_is_made(path):
    assert path.exists(), "run ./dev generate"
    assert path.read_text() == DERIVED[path], "run ./dev generate"


def test_making_them_again_changes_nothing(tmp_path, monkeypatch):
    wanted = {tmp_path / "deeper" / path.name: text for path, text in DERIVED.items()}
    monkeypatch.setattr(generate, "derived", lambda: wanted)
    generate.main()
    before = {path: (path.read_text(), path.stat().st_mtime_ns) for path in wanted}
    assert {path: text for path, (text, _) in before.items()} == wanted
    generate.main()
    assert {path: (path.read_text(), path.stat().st_mtime_ns) for path in wanted} == before


def test_the_document_names_every_operation_once():
    found = [
        (one["operationId"], method.upper(), path)
        for path, methods in DOCUMENT["paths"].items()
        for method, one in methods.items()
        if "operationId" in one
    ]
    assert sorted(found) == sorted(
        (name, one.route.method, one.route.path) for name, one in ROUTED.items() if one.route
    )


def test_the_document_is_openapi_3_1_and_complete_in_itself():
    assert DOCUMENT["openapi"].startswith("3.1.")
    text = json.dumps(DOCUMENT)
    named = {part.partition('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert named <= set(DOCUMENT["components"]["schemas"])


def test_steps_of_scheduled_work_are_in_no_derived_surface():
    steps = set(catalogue()) - set(ROUTED)
    assert steps
    for path in (ROOT / "docs/reference/openapi.json", ROOT / "secretsd/client/_generated_calls.py"):
        assert not [step for step in steps if step in DERIVED[path]]


def test_no_example_and_no_default_shows_a_value():
    for name in ("TextValue", "BinaryValue"):
        assert name not in json.dumps(DOCUMENT["paths"])
    assert "example" not in json.dumps(DOCUMENT)


def test_the_table_of_errors_has_every_kind_with_the_domains_own_sentence():
    """The client's errors are in this process as well and must not stand in for the daemon's."""
    assert client_errors.ClientError in SecretsdError.__subclasses__()
    rows = DERIVED[ROOT / "docs/reference/errors.md"].splitlines()
    for kind in ErrorKind:
        (row,) = [row for row in rows if row.startswith(f"| {kind.value} |")]
        assert f"| {errors.STATUS[kind]} |" in row
        assert client_errors.ClientError().message not in row
