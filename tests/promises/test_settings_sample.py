"""config/secretsd.yaml shows every setting with its sentence and its default; there is no other list to believe."""

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_type_hints

import pytest
import yaml

from secretsd.settings import Settings, from_document, load

SAMPLE = Path(__file__).parents[2] / "config" / "secretsd.yaml"
TEXT = SAMPLE.read_text()


def leaves(kind: type = Settings, prefix: str = ""):
    """Every setting: its place, its default, its sentence."""
    hints, defaults = get_type_hints(kind), kind()
    for part in fields(kind):
        if is_dataclass(hints[part.name]):
            yield from leaves(hints[part.name], f"{prefix}{part.name}.")
        else:
            yield f"{prefix}{part.name}", getattr(defaults, part.name), part.metadata.get("sentence", "")


def sections(kind: type = Settings):
    for part in fields(kind):
        hint = get_type_hints(kind)[part.name]
        if is_dataclass(hint):
            yield part.name, (hint.__doc__ or "").splitlines()[0]


LEAVES = list(leaves())


def shown(place: str):
    found = yaml.safe_load(TEXT)
    for name in place.split("."):
        found = found[name]
    return found


def test_it_loads_and_says_the_defaults():
    assert load(SAMPLE) == Settings()


def test_it_shows_every_setting_and_nothing_else():
    def places(document, prefix=""):
        for name, value in document.items():
            if isinstance(value, dict) and f"{prefix}{name}" not in {place for place, *_ in LEAVES}:
                yield from places(value, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}"

    assert sorted(places(yaml.safe_load(TEXT))) == sorted(place for place, *_ in LEAVES)


@pytest.mark.parametrize(("place", "default", "sentence"), LEAVES, ids=[place for place, *_ in LEAVES])
def test_the_sentence_of_a_setting_stands_right_above_it(place, default, sentence):
    assert sentence.endswith(".")
    assert sentence[0].isupper()
    value = list(shown(place)) if isinstance(default, tuple) else shown(place)
    assert value == (list(default) if isinstance(default, tuple) else default)
    *_, name = place.split(".")
    indent = "  " * place.count(".")
    lines = TEXT.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith(f"{indent}{name}:")]
    said = [_sentence_above(lines, number) for number in starts]
    assert sentence in said


def _sentence_above(lines: list[str], number: int) -> str:
    comment: list[str] = []
    while number > 0 and lines[number - 1].lstrip().startswith("# "):
        number -= 1
        comment.insert(0, lines[number].lstrip().removeprefix("# "))
    return " ".join(comment)


@pytest.mark.parametrize(("name", "sentence"), list(sections()), ids=[name for name, _ in sections()])
def test_the_sentence_of_a_section_stands_right_above_it(name, sentence):
    lines = TEXT.splitlines()
    assert _sentence_above(lines, lines.index(f"{name}:")) == sentence


def test_an_unknown_setting_is_refused():
    document = yaml.safe_load(TEXT)
    with pytest.raises(Exception, match="cannot use worker: there is no such setting; did you mean workers"):
        from_document(document | {"worker": 2})


def test_lines_are_short_enough_to_read():
    assert [line for line in TEXT.splitlines() if len(line) > 120] == []
