"""secretsd.yaml as settings: the only reader of configuration files; all that is wrong is told at once."""

import difflib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import yaml

from secretsd.settings.checks import check
from secretsd.settings.parts import Settings


class BadSettings(Exception):
    """All that is wrong with a configuration, a sentence each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load(path: Path) -> Settings:
    """The settings in a YAML file; BadSettings names every problem, OSError where the file cannot be read."""
    try:
        document = yaml.safe_load(path.read_text())
    except UnicodeDecodeError:
        raise BadSettings([f"cannot read {path}: it is not UTF-8"]) from None
    except (yaml.YAMLError, AttributeError, ValueError, OverflowError) as error:  # tags with odd values raise others
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise BadSettings([f"cannot read {path}{where}: it is not YAML"]) from None
    return from_document({} if document is None else document)


def from_document(document: Any) -> Settings:
    """The settings in a decoded document; BadSettings names every problem."""
    problems: list[str] = []
    settings: Settings = _read(Settings, document, "", problems)
    problems += check(settings)
    if problems:
        raise BadSettings(problems)
    return settings


def as_document(settings: Any) -> dict[str, Any]:
    """The settings as plain data, for a child's configuration."""
    return {
        part.name: as_document(value) if is_dataclass(value := getattr(settings, part.name)) else value
        for part in fields(settings)
    }


def _read(kind: type, document: Any, prefix: str, problems: list[str]) -> Any:
    if not isinstance(document, Mapping):
        problems.append(f"cannot use {prefix.rstrip('.') or 'the configuration'}: it is not a mapping")
        return kind()
    types = get_type_hints(kind)
    known = {part.name for part in fields(kind)}
    given = {}
    for key, value in document.items():
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f"; did you mean {prefix}{close[0]}?" if close else ""
            problems.append(f"cannot use {prefix}{_safe(key)}: there is no such setting{hint}")
        elif is_dataclass(types[key]):
            given[key] = _read(types[key], value, f"{prefix}{key}.", problems)
        else:
            try:
                given[key] = msgspec.convert(value, types[key])
            except msgspec.ValidationError:
                problems.append(f"cannot use {prefix}{key}: it is not {_words(types[key])}")
    return kind(**given)  # what could not be used has its default here, so that the rest can be looked at as well


def _words(kind: Any) -> str:
    names = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
    return names.get(kind, "of the form that config/secretsd.yaml shows")


def _safe(key: Any) -> str:
    """A key as it may be shown: what is no plain word could be a value in the wrong place."""
    text = str(key)
    return text if text.isidentifier() and len(text) <= 40 else "a key that is no word"
