"""What the documents name is there: files, commands, words of `./dev`, settings; and no page is left half written."""

import ast
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from secretsd.cli import daemon, secretsctl

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
BY_HAND = [page for page in PAGES if page.parent.name != "reference"]
# Where the pages' short names begin: the tour says `transport/peer.py`, the guides `pyproject.toml`.
BASES = tuple(ROOT / folder for folder in (".", "secretsd", "docs", "tests", "requirements"))
# Files of the reader's own host, and those that a command makes.
ELSEWHERE = re.compile(r"^(/|\.state\b|\.venv\b|dist/|\$|~)|^(admin\.env|secretsd\.yaml|\S*recovery\S*)$")
FILE = re.compile(r"^[\w./*-]+\.(py|md|yaml|sql|toml|lock|json|sh|service|socket|conf|sysusers|tmpfiles|env|pem)$")


def blocks(page: Path, *languages: str) -> Iterator[str]:
    """The code blocks of a page in one of the languages, without the indentation of a list around them."""
    for indent, language, text in re.findall(r"^( *)```(\w*)\n(.*?)^ *```", page.read_text(), re.MULTILINE | re.DOTALL):
        if language in languages:
            yield re.sub(rf"^{indent}", "", text, flags=re.MULTILINE)


def commands(page: Path, program: str) -> list[list[str]]:
    """Every call of a program in the shell blocks of a page, as words."""
    found = []
    for block in blocks(page, "sh", ""):
        for line in block.splitlines():
            calls: list[list[str]] = [[]]
            for word in shlex.split(line, comments=True):
                if word in ("|", "&&", ";"):
                    calls.append([])
                else:
                    calls[-1].append(word.removesuffix(";"))
            found += [call[1:] for call in calls if call and call[0] == program]
    return found


def all_commands(program: str) -> list[tuple[str, ...]]:
    return sorted({tuple(words) for page in BY_HAND for words in commands(page, program)})


def code_words(page: Path) -> set[str]:
    """What stands between single backquotes, outside of code blocks."""
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return set(re.findall(r"`([^`\n]+)`", text))


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text())]
    local = [target for target in targets if target and "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", BY_HAND, ids=name)
def test_every_file_that_is_named_exists(page: Path) -> None:
    named = {word for word in code_words(page) if FILE.match(word) and not ELSEWHERE.search(word)}
    # A name alone, such as `service.py`, is one of a folder that the sentence has named.
    bases = {*BASES, page.parent, *(path.parent for path in (ROOT / "secretsd").rglob("*.py"))}
    assert {word for word in named if not any(any(base.glob(word)) for base in bases)} == set()


@pytest.mark.parametrize("page", BY_HAND, ids=name)
def test_every_file_that_a_command_takes_from_here_exists(page: Path) -> None:
    words = {word for block in blocks(page, "sh", "") for word in block.split()}
    ours = {word for word in words if "/" in word and (ROOT / word.split("/")[0]).is_dir()}
    assert {word for word in ours if not ELSEWHERE.search(word) and not any(ROOT.glob(word))} == set()


@pytest.mark.parametrize("page", BY_HAND, ids=name)
def test_no_page_waits_to_be_finished(page: Path) -> None:
    left = re.findall(r"(?m)^(?:[A-Z]{4,}|.*\b(?:TODO|TBD|FIXME|XXX)\b.*)$", page.read_text())
    assert left == []


@pytest.mark.parametrize("words", all_commands("./dev"), ids=" ".join)
def test_every_word_of_dev_is_one(words: tuple[str, ...]) -> None:
    usage = subprocess.run([ROOT / "dev", "help"], capture_output=True, text=True, check=True).stdout
    assert re.search(rf"^  {words[0]} ", usage, re.MULTILINE), f"./dev has no word {words[0]}"


SHELL_VARIABLES = {"$account": "123456789012"}
"""What the pages put into variables, where a command does not take just any word."""


def parse(app: typer.Typer, words: tuple[str, ...]) -> None:
    """Read the words as the command would, without running it; typer's own error where they do not fit."""
    command, rest = typer.main.get_command(app), [SHELL_VARIABLES.get(word, word) for word in words]
    while rest and (inner := getattr(command, "commands", {}).get(rest[0])) is not None:
        command, rest = inner, rest[1:]
    assert not hasattr(command, "commands"), f"there is no command {rest[:1]}"
    command.make_context(words[0], rest)


@pytest.mark.parametrize("words", all_commands("secretsctl"), ids=" ".join)
def test_every_command_of_secretsctl_parses(words: tuple[str, ...]) -> None:
    parse(secretsctl.application(), words)


@pytest.mark.parametrize("words", all_commands("secretsd"), ids=" ".join)
def test_every_command_of_secretsd_parses(words: tuple[str, ...]) -> None:
    parse(daemon.app, words)


@pytest.mark.parametrize("words", [("get",), ("get", "a", "--nope"), ("nope", "a"), ("rotate", "a", "--every", "12x")])
def test_the_checks_above_would_notice(words: tuple[str, ...]) -> None:
    with pytest.raises((typer.TyperException, AssertionError)):
        parse(secretsctl.application(), words)


def test_there_is_something_to_check() -> None:
    assert len(all_commands("secretsctl")) > 10
    assert len(all_commands("secretsd")) >= 2
    assert len(all_commands("./dev")) >= 3
    assert sum(len(code_words(page)) for page in BY_HAND) > 100


@pytest.mark.parametrize(
    ("page", "block"), [(page, block) for page in BY_HAND for block in blocks(page, "python")], ids=lambda _: ""
)
def test_every_piece_of_python_is_python(page: Path, block: str) -> None:
    compile(block, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
