"""Every dialect answers every kind of error, with a status that its own table of titles knows."""

import importlib
import json
import pkgutil

import pytest

import secretsd.dialects
from secretsd.client import errors as client
from secretsd.dialects.native import errors
from secretsd.domain.errors import ErrorKind, SecretsdError

DIALECTS = [name for _, name, package in pkgutil.iter_modules(secretsd.dialects.__path__) if package]
CLASSES = [kind for kind in SecretsdError.__subclasses__() if kind.__module__ == "secretsd.domain.errors"]
CODES = {
    "invalid-request": 400, "unauthenticated": 401, "access-denied": 403, "not-found": 404, "already-exists": 409,
    "conflict": 409, "invalid-state": 409, "key-disabled": 409, "invalid-key-usage": 400, "invalid-ciphertext": 400,
    "unsupported": 400,
    "limit-exceeded": 409, "rotation-in-progress": 503, "throttled": 429, "keystore-unavailable": 503,
    "storage-unavailable": 503, "internal": 500,
}  # fmt: skip


def test_there_is_a_dialect():
    assert "native" in DIALECTS


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialects_table_is_total(dialect):
    module = importlib.import_module(f"secretsd.dialects.{dialect}.errors")
    tables = [
        (name, table)
        for name, table in vars(module).items()
        if isinstance(table, dict) and table and all(isinstance(key, ErrorKind) for key in table)
    ]
    assert tables, f"{module.__name__} has no table over ErrorKind"
    for name, table in tables:
        assert set(table) == set(ErrorKind), name


def test_the_native_statuses_are_those_of_the_design():
    assert {kind.value: status for kind, status in errors.STATUS.items()} == CODES


def test_every_status_has_its_title():
    assert set(errors.STATUS.values()) <= set(errors.TITLES)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_a_problem_says_what_is_stable_and_nothing_more(kind):
    status, body, headers = errors.problem(kind(), "ab" * 16)
    document = json.loads(body)
    assert document == {
        "type": "about:blank",
        "title": errors.TITLES[status],
        "status": status,
        "detail": kind().message,
        "kind": kind.kind.value,
        "request_id": "ab" * 16,
    }
    assert ("Retry-After" in headers) == (status in (429, 503))
    assert ("WWW-Authenticate" in headers) == (status == 401)


def test_retry_after_is_the_errors_own_where_it_says_so():
    busy = next(kind for kind in CLASSES if kind.kind is ErrorKind.THROTTLED)
    assert errors.problem(busy(retry_after_seconds=7), "")[2]["Retry-After"] == "7"


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_the_client_raises_the_error_that_it_was(kind):
    status, body, headers = errors.problem(kind("cannot do this one thing"), "ab" * 16)
    assert client.BY_KIND[kind.kind] is kind
    found = client.refusal("GetSecretValue", status, {"Content-Type": client.PROBLEM, **headers}, body)
    assert type(found) is kind
    assert "cannot do this one thing" in found.message
