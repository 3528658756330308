"""A file of YAML as plain data: every setting stands in it once, in its own place, and no file costs more than that."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

MAX_BYTES = 65_536
"""More than ten times the file that says everything; a log or a device in its place is not read to its end."""
MAX_DEPTH = 16
_MERGE = "tag:yaml.org,2002:merge"


class BadSettings(Exception):
    """All that is wrong with a configuration, a sentence each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def read(path: Path) -> Any:
    """What the file says, {} where that is nothing; BadSettings, and OSError where it cannot be read."""
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise BadSettings([f"cannot read {path}: it is longer than {MAX_BYTES} bytes"])
    try:
        loader = _Loader(data.decode())
        root = loader.get_single_node()
        if root is None:
            return {}
        problems = [f"cannot read {path}, line {line}: {problem}" for line, problem in _ambiguous(loader, root, "")]
        if problems:
            raise BadSettings(problems)
        document = loader.construct_document(root)
    except UnicodeDecodeError:
        raise BadSettings([f"cannot read {path}: it is not UTF-8"]) from None
    except _Refused as error:
        raise BadSettings([f"cannot read {path}, line {error.line}: {error}"]) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # dates and numbers that are none raise the others
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise BadSettings([f"cannot read {path}{where}: it is not YAML"]) from None
    return {} if document is None else document


def word(key: Any) -> str:
    """A key as it may be shown: what is no plain word could be a value in the wrong place."""
    text = str(key)
    return text if text.isidentifier() and len(text) <= 40 else "a key that is no word"


class _Refused(Exception):
    """cannot take what YAML allows

    `line` is where it stands.
    """

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line


class _Loader(yaml.SafeLoader):
    """Makes nothing but plain data, and refuses before it is made what a few lines could make endless."""

    _depth = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        """One node. An alias is refused unfollowed: ten of ten each are ten thousand million in 600 bytes."""
        event = self.peek_event()  # type: ignore[no-untyped-call]  # typeshed leaves it open
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _Refused(line, "it has an anchor or alias (& or *): write the value where it belongs")
        if getattr(event, "tag", None) is not None:
            raise _Refused(line, "it has a tag (!): quotes alone make a text of what would be something else")
        if self._depth >= MAX_DEPTH:
            raise _Refused(line, "it is nested too deep")
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


def _ambiguous(loader: _Loader, node: Node, prefix: str) -> Iterator[tuple[int, str]]:
    """What could be meant in two ways, with its line: YAML itself takes the last of two, and merges quietly."""
    if isinstance(node, SequenceNode):
        for one in node.value:
            yield from _ambiguous(loader, one, prefix)
    if not isinstance(node, MappingNode):
        return
    first: dict[Any, int] = {}
    for key_node, value in node.value:
        line = key_node.start_mark.line + 1
        if key_node.tag == _MERGE:
            yield line, "it has a merge key (<<): write the values where they belong"
        elif isinstance(key_node, ScalarNode):  # what is none is no key of ours either, and told as that
            key = loader.construct_object(key_node)
            if key in first:
                yield line, f"{prefix}{word(key)} is given twice, first in line {first[key]}"
            first.setdefault(key, line)
            yield from _ambiguous(loader, value, f"{prefix}{word(key)}.")
