"""What the commands of the key ceremony decide by themselves, before or after the HSM is asked."""

import time
from typing import Any

import msgspec
import pytest

from secretsd.api.root_keys import DescribeRootKeysResponse, RootKeyDescription
from secretsd.cli.hsm.evidence import problems
from secretsd.cli.hsm.roots import _imports_under_way, _require_unused
from secretsd.cli.hsm.transfer import fingerprint
from secretsd.domain.key_import import TOKEN_SECONDS


def stored(escrowed: int = 0, **old: Any) -> DescribeRootKeysResponse:
    """Two generations, of which the second one wraps."""
    first: dict[str, Any] = {
        "kek_id": "a",
        "generation": 1,
        "made_ms": 0,
        "wraps": False,
        "held": False,
        "key_versions": 0,
    } | old
    second = RootKeyDescription(kek_id="b", generation=2, made_ms=1, wraps=True, held=False)
    return DescribeRootKeysResponse(roots=(RootKeyDescription(**first), second), unknown=0, escrowed=escrowed)


def test_a_root_that_nothing_needs_may_be_destroyed() -> None:
    _require_unused(stored(), 1)


def test_imports_are_given_up_only_in_so_many_words(capsys: pytest.CaptureFixture[str]) -> None:
    away = stored(absent_versions=2)
    _require_unused(away, 1, give_up_imports=True)
    with pytest.raises(SystemExit):
        _require_unused(stored(absent_versions=2, key_versions=1), 1, give_up_imports=True)
    assert "1 stored key versions are wrapped by it" in capsys.readouterr().err


def test_imports_that_were_begun_under_it_are_warned_of_for_as_long_as_their_tokens_hold() -> None:
    old = RootKeyDescription(kek_id="a", generation=1, made_ms=0, wraps=False, held=False)
    for age_seconds, warned in ((0, True), (TOKEN_SECONDS - 60, True), (TOKEN_SECONDS + 60, False)):
        made_ms = int((time.time() - age_seconds) * 1000)
        new = RootKeyDescription(kek_id="b", generation=2, made_ms=made_ms, wraps=True, held=False)
        told = _imports_under_way(DescribeRootKeysResponse(roots=(old, new), unknown=0, escrowed=0), 1)
        assert ("cannot be finished" in told) is warned
        held_for_a_month = msgspec.structs.replace(new, made_ms=made_ms - 30 * 86_400_000, used_ms=made_ms)
        told = _imports_under_way(DescribeRootKeysResponse(roots=(old, held_for_a_month), unknown=0, escrowed=0), 1)
        assert ("cannot be finished" in told) is warned


@pytest.mark.parametrize(
    ("found", "generation", "reason"),
    [
        (stored(key_versions=3), 1, "3 stored key versions are wrapped by it"),
        (stored(absent_versions=2), 1, "2 imported keys whose material is away are known again by it alone"),
        (stored(escrowed=2), 1, "2 candidates in the escrow may need it"),
        (stored(), 2, "it is the one that wraps now"),
        (stored(key_versions=None), 1, "it is the one that wraps now"),
        (stored(), 3, "the key store has none such"),
        (stored(destroyed_ms=5), 1, "the key store has none such"),
    ],
)
def test_a_root_that_something_needs_is_not(
    found: DescribeRootKeysResponse, generation: int, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        _require_unused(found, generation)
    assert reason in capsys.readouterr().err


def evidence(**changes: Any) -> dict[str, Any]:
    """Evidence of keys as they have to be, with changes in one CMK."""
    good = {
        "sensitive": True, "private": True, "modifiable": False, "extractable": True, "wrap_with_trusted": True,
        "material_shown": [], "decrypt": False, "sign": False, "wrap": False,
    }  # fmt: skip
    root = {"generation": 1, "kek": good | {"wrap": True}, "mac_key": good | {"sign": True}}
    return {"roots": [root], "samples": {"AES_256": {"loaded": [good | {"decrypt": True} | changes]}}}


def test_keys_that_are_as_they_have_to_be_are_no_problem() -> None:
    assert problems(evidence()) == []
    assert problems(evidence(extractable=False, wrap_with_trusted=False)) == []  # one that stays on the token


@pytest.mark.parametrize(
    "changes",
    [
        {"sensitive": False},
        {"sensitive": None},
        {"private": False},
        {"modifiable": True},
        {"wrap_with_trusted": False},
        {"wrap_with_trusted": None},
        {"extractable": None, "wrap_with_trusted": False},
        {"material_shown": ["value"]},
    ],
)
def test_whatever_else_the_module_tells_is_one(changes: dict[str, Any]) -> None:
    assert len(problems(evidence(**changes))) == 1


@pytest.mark.parametrize(
    ("key", "use"), [("kek", "decrypt"), ("kek", "sign"), ("mac_key", "decrypt"), ("mac_key", "wrap")]
)
def test_a_root_key_with_another_use_is_one(key: str, use: str) -> None:
    told = evidence()
    told["roots"][0][key][use] = True
    assert problems(told) == [f"root 1 {key}: it may {use}"]


def test_two_people_can_compare_a_key_by_its_fingerprint() -> None:
    assert fingerprint("a key") == fingerprint("a key\n") != fingerprint("another key")
    assert [len(part) for part in fingerprint("a key").split()] == [4] * 8
