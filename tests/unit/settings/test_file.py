"""secretsd.yaml as a file: what YAML leaves open or lets grow is refused with its line, and never with a value."""

import time
from pathlib import Path

import pytest

from secretsd.settings import BadSettings, load
from secretsd.supervisor.dev import dev_settings

PIN = "a-pin-in-the-wrong-place"
LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{after}: &{after} [{(f'*{one}, ' * 10)}]\n" for one, after in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secretsd.yaml"


def refused(path: Path, text: str) -> list[str]:
    path.write_text(text)
    with pytest.raises(BadSettings) as error:
        load(path)
    assert PIN not in str(error.value)
    return [one.removeprefix(f"cannot read {path}") for one in error.value.problems]


@pytest.mark.parametrize(
    ("text", "line", "name", "first"),
    [
        ("workers: 1\nworkers: 1\n", 2, "workers", 1),
        ("workers: 1\n# more\n\n'workers': 2\n", 4, "workers", 1),
        ("keystore:\n  pin_file: /a\n  module: /m\n  pin_file: /b\n", 4, "keystore.pin_file", 2),
        ("http: {listen: null}\nworkers: 1\nhttp: {listen: '127.0.0.1:1'}\n", 3, "http", 1),
        ("keystore:\n  environment: {A: '1', A: '2'}\n", 2, "keystore.environment.A", 2),
        ("rotation: {rotators: [{a: 1, a: 2}]}", 1, "rotation.rotators.a", 1),
        ("1: x\n0x1: x\n", 2, "a key that is no word", 1),
        (f"{PIN}: 1\n{PIN}: 1\n", 2, "a key that is no word", 1),
    ],
)
def test_what_is_given_twice_is_refused(path: Path, text: str, line: int, name: str, first: int) -> None:
    assert refused(path, text) == [f", line {line}: {name} is given twice, first in line {first}"]


def test_all_that_is_given_twice_is_told_at_once(path: Path) -> None:
    found = refused(path, "workers: 1\nhttp:\n  listen: null\n  listen: null\nworkers: 1\nworkers: 2\n")
    assert [one.split(":")[0] for one in found] == [", line 4", ", line 5", ", line 6"]


def test_the_same_name_in_two_sections_is_no_double(path: Path) -> None:
    path.write_text("keystore: {stall_seconds: 2}\ncache: {max_rows: 1}\nquotas: {keys: 1, users: 1}\n")
    assert load(path).quotas.users == 1


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("workers: &one 1\n", 1, "anchor or alias"),
        (f"workers: 1\nkeystore: {{pin_file: *{PIN}}}\n", 2, "anchor or alias"),
        ("http: &h\n  listen: null\nunix: *h\n", 1, "anchor or alias"),
        ("workers: 1\nhttp: {<<: {listen: null}}\n", 2, "merge key"),
        ("http:\n  '<<': 1\n  <<: [{a: 1}]\n", 3, "merge key"),
        ("workers: !!python/object/apply:os.system ['true']\n", 1, "tag"),
        ("workers: !!timestamp x\n", 1, "tag"),
        ("\n!!bool x: 1\n", 2, "tag"),
        (f"workers: !{PIN} 1\n", 1, "tag"),
        ("workers: 1\nhttp: " + "[" * 20_000, 2, "nested too deep"),
        ("http: " + "{a: " * 20 + "}" * 20, 1, "nested too deep"),
    ],
)
def test_what_could_mean_or_cost_more_than_it_says_is_refused(path: Path, text: str, line: int, words: str) -> None:
    (problem,) = refused(path, text)
    assert problem.startswith(f", line {line}: it ")
    assert words in problem


def test_no_file_takes_long(path: Path) -> None:
    began = time.process_time()
    assert "anchor or alias" in refused(path, LAUGHS)[0]
    assert "longer than 65536 bytes" in refused(path, "# " + "x" * 65_536)[0]
    assert "cannot use" in refused(path, "workers: 1" + ":0" * 30_000)[0]
    assert "cannot use" in refused(path, "workers: 0x" + "f" * 65_000)[0]
    assert refused(path, "".join(f"k{number}:\n" for number in range(8_000)))
    assert time.process_time() - began < 10


def test_a_device_in_its_place_is_not_read_to_its_end() -> None:
    with pytest.raises(BadSettings, match="longer than"):
        load(Path("/dev/zero"))


@pytest.mark.parametrize("text", ["workers: 2001-13-45", "workers: 0b_", "workers: =", "workers: 1\n---\nworkers: 2\n"])
def test_what_yaml_itself_stumbles_over(path: Path, text: str) -> None:
    assert refused(path, text)[0].endswith(": it is not YAML")


def test_development_reads_its_file_alike(path: Path) -> None:
    for text, words in (
        ("workers: 1\nworkers: 2\n", "line 2: workers is given twice"),
        ("workers: &a 1\n", "anchor or alias"),
        ("- a list\n", "it is not a mapping"),
        ("workers: [", "it is not YAML"),
    ):
        path.write_text(text)
        with pytest.raises(BadSettings, match=words):
            dev_settings(path.parent, "127.0.0.1:0", None)
    path.write_text("# nothing said\n")
    assert dev_settings(path.parent, "127.0.0.1:0", None).workers == 1
