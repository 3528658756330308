"""`secretsctl watch`: a line for each state, in three forms, until it has printed enough."""

import json
from collections.abc import AsyncIterator

import pytest

from secretsd.api.watch import SecretChange
from secretsd.client import Client
from secretsd.domain.errors import AccessDenied

CHANGES = [
    SecretChange(name="a", secret_id="s", version_id="v-1", number=1, stages={"current": "v-1"}),
    SecretChange(name="b", secret_id="s"),
    SecretChange(name="a", version_id="v-1", number=1, barrier="hold"),
    SecretChange(name="a", version_id="v-2", number=2, barrier="unproved"),
    SecretChange(name="a", deleted=True),
]


@pytest.fixture
def watched(monkeypatch) -> list[list[str]]:
    """The names of each watch; a watch of `forbidden` is refused."""
    found: list[list[str]] = []

    async def watch(self: Client, names: list[str]) -> AsyncIterator[SecretChange]:
        found.append(names)
        if "forbidden" in names:
            raise AccessDenied
        for change in CHANGES:
            yield change
        raise AssertionError("it reads on after the last that was asked for")

    monkeypatch.setattr(Client, "watch", watch)
    return found


def test_lines_for_people(ctl, watched) -> None:
    outcome = ctl("watch", "a", "b", "--count", "5")
    assert outcome.code == 0
    assert outcome.text.splitlines() == [
        "a: version 1 (v-1) is current",
        "b: no current version",
        "a: version 1 (v-1) is current, reads wait for its rotation",
        "a: version 2 (v-2) is current, its value is unproved",
        "a: deleted",
    ]
    assert watched == [["a", "b"]]


def test_json_a_line(ctl, watched) -> None:
    first, second = ctl("watch", "a", "--count", "2", "-o", "json").text.splitlines()
    assert json.loads(first) == {
        "name": "a", "secret_id": "s", "version_id": "v-1", "number": 1, "stages": {"current": "v-1"},
    }  # fmt: skip
    assert json.loads(second) == {"name": "b", "secret_id": "s"}


def test_raw_is_name_and_version(ctl, watched) -> None:
    assert ctl("watch", "a", "--count", "2", "-o", "raw").text == "a v-1\nb\n"


def test_a_refusal_is_told(ctl, watched) -> None:
    outcome = ctl("watch", "forbidden")
    assert outcome.code == 4
    assert "cannot do that" in outcome.err


def test_an_interrupt_is_its_ordinary_end(ctl, watched, monkeypatch) -> None:
    async def interrupted(self: Client, names: list[str]) -> AsyncIterator[SecretChange]:
        yield CHANGES[0]
        raise KeyboardInterrupt

    monkeypatch.setattr(Client, "watch", interrupted)
    outcome = ctl("watch", "a")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.text == "a: version 1 (v-1) is current\n"
