"""secretsd.yaml as settings; all that is wrong is told at once."""

import difflib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from secretsd.settings import file
from secretsd.settings.checks import check
from secretsd.settings.file import BadSettings, word
from secretsd.settings.parts import Settings


def load(path: Path) -> Settings:
    """The settings in a YAML file; BadSettings names every problem, OSError where the file cannot be read."""
    return from_document(file.read(path))


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
            problems.append(f"cannot use {prefix}{word(key)}: there is no such setting{hint}")
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
