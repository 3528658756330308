"""Errors: one class a kind, and sentences that begin with what cannot be done."""

import pytest

from secretsd.domain.errors import ErrorKind, SecretsdError

KINDS = [kind for kind in SecretsdError.__subclasses__() if kind.__module__ == "secretsd.domain.errors"]


def test_every_kind_has_exactly_one_class():
    assert sorted(kind.kind.value for kind in KINDS) == sorted(kind.value for kind in ErrorKind)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_has_a_sentence_of_its_own(kind):
    error = kind()
    assert error.message.startswith("cannot ")
    assert "\n" not in error.message
    assert error.retry_after_seconds is None
    assert kind("cannot do the other thing", retry_after_seconds=3).message == "cannot do the other thing"


def test_a_tampered_record_is_internal_to_callers():
    from secretsd.domain.records import TamperedRecord

    assert TamperedRecord.kind is ErrorKind.INTERNAL
