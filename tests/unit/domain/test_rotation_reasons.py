"""Every state and every reason that the sources can give stands in the table, and nothing else does."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from secretsd.domain.errors import ErrorKind
from secretsd.domain.rotation import RotationState
from secretsd.domain.rotation_reasons import NOTHING, REASONS, STATES, UNKNOWN, reason_of
from secretsd.ports.rotator import Outcome

ROOT = Path(__file__).parents[3]
SOURCES = [
    *(ROOT / "secretsd/operations").glob("rotation*.py"),
    ROOT / "secretsd/operations/target_access.py",
    *(ROOT / "secretsd/adapters/rotator_host").glob("*.py"),
    *(ROOT / "rotators").rglob("*.py"),
]
RAISED = ("RotationFailed", "Failed")
"""The calls whose first argument is a reason: the error itself, and the rotator host's message of it."""
# What only hands on a reason that was given elsewhere.
HANDED_ON = {"request.reason", "rotation.reason", "failed.reason", "failure.reason", "answer.reason", "step.reason"}
# Only shown: an error's kind, which the table has anyway, and what is no reason of a rotation.
SHOWN = {"rotation_probe.py", "rotation_words.py"}
# Given an outcome, of which this one ends well.
NEVER = {"applied", "restore-applied"}


@dataclass
class Module:
    """One source file, and what its expressions can come to."""

    path: Path
    tree: ast.Module = field(init=False)

    def __post_init__(self) -> None:
        self.tree = ast.parse(self.path.read_text())
        self.functions = {
            node.name: node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }

    def reasons(self) -> Iterator[tuple[int, str]]:
        """Every reason with its line; an expression that cannot be told is `?`."""
        for function in [self.tree, *self.functions.values()]:
            for node in _own(function):
                if not isinstance(node, ast.Call):
                    continue
                given = [word.value for word in node.keywords if word.arg == "reason"]
                if isinstance(node.func, ast.Name) and node.func.id in RAISED and node.args:
                    given.append(node.args[0])
                for one in given:
                    for word in self.words(one, function):
                        yield node.lineno, word

    def words(self, node: ast.expr, function: ast.AST) -> set[str]:
        """The words that an expression may stand for."""
        match node:
            case ast.Constant(value=None | ""):
                return set()
            case ast.Constant(value=str(word)):
                return {word}
            case ast.IfExp(body=body, orelse=orelse):
                return self.words(body, function) | self.words(orelse, function)
            case ast.BoolOp(values=values):
                return {word for value in values for word in self.words(value, function)}
            case ast.Await(value=value):
                return self.words(value, function)
            case ast.JoinedStr(values=[ast.Constant(value=str(start)), ast.FormattedValue(value=value)]):
                return {start + word for word in self.words(value, function)}
            case ast.Attribute(attr="value", value=ast.Name(id="outcome") | ast.Attribute(value=ast.Name("Outcome"))):
                return {outcome.value for outcome in Outcome}
            case ast.Attribute(attr="value", value=ast.Attribute(attr="kind")):
                return {kind.value for kind in ErrorKind}
            case ast.Call(func=ast.Attribute(value=ast.Name(id=table), attr="get"), args=[_, *default]):
                return {word for one in (*self.table(table), *default) for word in self.words(one, function)}
            case ast.Call(func=ast.Name(id=name)) if name in self.functions:
                called = self.functions[name]
                returned = [one.value for one in _own(called) if isinstance(one, ast.Return) and one.value]
                return {word for one in returned for word in self.words(one, called)}
            case ast.Name(id=name):
                return self.variable(name, function)
        return set() if ast.unparse(node) in HANDED_ON else {"?"}

    def table(self, name: str) -> list[ast.expr]:
        """The values of a dict of the module."""
        for node in self.tree.body:
            match node:
                case ast.Assign(targets=[ast.Name(id=found)], value=ast.Dict(values=values)) if found == name:
                    return values
        return [ast.Name("?")]

    def variable(self, name: str, function: ast.AST) -> set[str]:
        """What is assigned to a variable, or handed over as that parameter by any call in the module."""
        given: list[tuple[ast.expr, ast.AST]] = []
        for node in _own(function):
            if isinstance(node, ast.Assign) and name in map(ast.unparse, node.targets):
                given.append((node.value, function))
            if isinstance(node, ast.NamedExpr) and node.target.id == name:
                given.append((node.value, function))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            parameters = [one.arg for one in function.args.args]
            if name in parameters:
                for caller in self.functions.values():
                    for node in _own(caller):
                        if isinstance(node, ast.Call) and ast.unparse(node.func) == function.name:
                            given.append((node.args[parameters.index(name)], caller))
        return {word for value, where in given for word in self.words(value, where)} if given else {"?"}


def _own(function: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function without those of functions in it."""
    waiting = list(ast.iter_child_nodes(function))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or function is node:
            waiting += ast.iter_child_nodes(node)
        elif isinstance(node, ast.ClassDef):
            waiting += [one for one in node.body if not isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]


def given_in(paths: list[Path]) -> Mapping[str, list[str]]:
    """Where each reason is given."""
    found: dict[str, list[str]] = {}
    for path in paths:
        for line, word in Module(path).reasons():
            found.setdefault(word, []).append(f"{path.relative_to(ROOT)}:{line}")
    return found


GIVEN = given_in([path for path in SOURCES if path.name not in SHOWN])


def test_every_reason_that_can_be_given_is_in_the_table() -> None:
    """A reason is all that people are told of a failure, so one without words tells them nothing."""
    assert {word: places for word, places in GIVEN.items() if word not in REASONS and word not in NEVER} == {}


def test_the_table_has_every_kind_of_error_because_a_step_may_end_with_any() -> None:
    assert {kind.value for kind in ErrorKind} - set(REASONS) == set()


def test_nothing_is_in_the_table_that_nobody_gives() -> None:
    assert set(REASONS) - set(GIVEN) - {kind.value for kind in ErrorKind} == set()


def test_the_reader_of_sources_finds_what_is_hidden(tmp_path: Path) -> None:
    """One that finds nothing would let every reason pass: those of known places are found, also roundabout ones."""
    assert len(GIVEN) > 50
    known = {"own-admin", "target-disk-full", "role-busy", "restore-unknown", "login-in-use", "cancelled", "host-away"}
    assert known - set(GIVEN) == set()
    source = tmp_path / "source.py"
    source.write_text("def f(x):\n    raise RotationFailed(x.text)\n")
    assert [word for _, word in Module(source).reasons()] == ["?"]


@pytest.mark.parametrize("word", REASONS)
def test_every_reason_is_a_word_and_its_text_a_clause(word: str) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", word)
    for text in (REASONS[word].meaning, REASONS[word].action):
        assert text == text.strip().rstrip(".")
    assert REASONS[word].meaning
    assert len(REASONS[word].meaning) < 120


def test_a_reason_of_somebody_elses_rotator_is_told_as_one() -> None:
    assert reason_of("flux-capacitor-cold") is UNKNOWN
    assert reason_of("") is NOTHING
    assert reason_of("role-missing") is REASONS["role-missing"]


def test_every_state_is_told_in_words() -> None:
    assert set(STATES) == set(RotationState)
    assert len(set(STATES.values())) == len(STATES)
