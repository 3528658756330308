"""Counts that are lost, or older ones in their place: no key version ever counts as used less than it was."""

import os
import random
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretsd.adapters.keystore_process.count_mark import CountMark
from secretsd.adapters.keystore_process.use_counts import ALARM, BLOCK, UseCounts

KEY = "11111111-2222-4333-8444-555555555555"
OTHER = "99999999-2222-4333-8444-555555555555"
MARK = "key-uses-mark"
LIVES = st.lists(
    st.tuples(
        st.lists(st.tuples(st.sampled_from((KEY, OTHER)), st.integers(1, 40), st.booleans()), max_size=4),
        st.sampled_from(("crash", "end", "older", "lost", "changed")),
    ),
    max_size=8,
)


def silent(sentence: str) -> None:
    raise AssertionError(sentence)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "key-uses"


@given(lives=LIVES, pick=st.randoms(use_true_random=False))
def test_whatever_becomes_of_the_file_no_count_is_below_the_truth(
    lives: list[tuple[list[tuple[str, int, bool]], str]], pick: random.Random
) -> None:
    with TemporaryDirectory() as place:
        path = Path(place) / "key-uses"
        truth, older = {KEY: [0, 0], OTHER: [0, 0]}, [b""]
        for uses, end in [*lives, ([], "crash")]:
            counts = UseCounts(path, lambda _: None, block=8)
            for key, times, encrypting in uses:
                for _ in range(times):
                    (counts.encrypting if encrypting else counts.decrypting)(key, 1)
                truth[key][not encrypting] += times
                older.append(path.read_bytes())
            for key, done in truth.items():
                assert counts.of((key, 1)) >= sum(done)
            if end == "end":
                counts.close()
            elif end == "lost":
                path.unlink()
            elif end == "older":
                path.write_bytes(pick.choice(older))
            elif end == "changed" and (data := bytearray(path.read_bytes())):
                data[pick.randrange(len(data))] ^= 1
                path.write_bytes(data)


def test_a_crash_is_no_loss(path: Path) -> None:
    for life in range(5):
        counts = UseCounts(path, silent)
        for version in range(1, 4):
            counts.encrypting(KEY, version)
        assert counts.of((KEY, 1)) <= (life + 1) * (BLOCK + 1)


def test_a_lost_file_is_told_and_counts_for_every_version_that_is_not_new(path: Path) -> None:
    counts = UseCounts(path, silent)
    for _ in range(5000):
        counts.encrypting(KEY, 1)
    counts.close()
    path.unlink()
    told: list[str] = []
    counts = UseCounts(path, told.append)
    assert [one for one in told if "missing or older" in one]
    assert counts.of((KEY, 1)) >= 5000
    assert counts.of((OTHER, 1)) >= 5000, "its record may have been lost"
    counts.born(OTHER, 2)
    assert counts.of((OTHER, 2)) == 0, "it was made after the loss"
    counts.encrypting(OTHER, 2)
    assert counts.of((OTHER, 2)) == 1
    counts.close()
    again = UseCounts(path, silent)
    assert again.of((OTHER, 2)) == 1, "nothing more is missing at the next start"
    assert again.of((KEY, 1)) >= 5000


@pytest.mark.parametrize("crashed", [True, False])
def test_what_was_made_after_the_loss_stays_new_over_a_crash(path: Path, crashed: bool) -> None:
    counts = UseCounts(path, silent)
    for _ in range(5000):
        counts.encrypting(KEY, 1)
    counts.close()
    path.unlink()
    counts = UseCounts(path, lambda _: None)
    counts.born(OTHER, 2)
    counts.born(KEY, 1)
    assert counts.of((KEY, 1)) == 0, "a version that has no record is believed to be new: a worker's word"
    counts.encrypting(KEY, 1)
    counts.born(KEY, 1)
    assert counts.of((KEY, 1)) == 1, "one that has is not"
    if not crashed:
        counts.close()
    assert UseCounts(path, silent).of((OTHER, 2)) == 0


def test_a_new_version_that_cannot_be_written_down_counts_as_the_others(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = UseCounts(path, silent)
    for _ in range(5000):
        counts.encrypting(KEY, 1)
    counts.close()
    path.unlink()
    counts = UseCounts(path, lambda _: None)

    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    counts.born(OTHER, 2)
    assert counts.of((OTHER, 2)) >= 5000


def test_a_version_whose_lost_count_may_be_past_half_of_the_limit_is_worn(path: Path) -> None:
    counts = UseCounts(path, silent, block=1)
    counts.reserve([((KEY, 1), ALARM, 0)])
    path.unlink()
    counts = UseCounts(path, lambda _: None)
    assert counts.worn((KEY, 1))
    counts.encrypting(KEY, 1)
    assert counts.worn((KEY, 1)), "used or not"
    counts.born(KEY, 2)
    assert not counts.worn((KEY, 2)), "else it would be rotated for ever"


def test_a_record_that_is_not_sound_hides_nothing_that_came_behind_it(path: Path) -> None:
    counts = UseCounts(path, silent, block=1)
    for _ in range(100):
        counts.encrypting(KEY, 1)
    data = bytearray(path.read_bytes())
    data[45] ^= 1
    path.write_bytes(data)
    assert UseCounts(path, lambda _: None).of((KEY, 1)) >= 100


def test_a_torn_record_that_cannot_be_taken_back_is_not_written_behind(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = UseCounts(path, silent, block=1)
    counts.encrypting(KEY, 1)
    genuine = os.write

    def half(descriptor: int, data: bytes) -> int:
        return genuine(descriptor, data[:20])

    def refuse(_descriptor: int, _size: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half)
        patch.setattr(os, "ftruncate", refuse)
        with pytest.raises(OSError, match="the disk is full"):
            counts.reserve([((KEY, 1), 50, 0)])
    counts.reserve([((KEY, 1), 50, 0)])
    (path.parent / MARK).unlink()
    assert UseCounts(path, silent).of((KEY, 1)) >= 51, "the file alone has to say it"


def test_a_mark_survives_a_torn_slot_and_never_falls(tmp_path: Path) -> None:
    path = tmp_path / MARK
    mark = CountMark(path)
    assert mark.ticket == 0
    for ticket in (5, 9, 7):
        mark.raise_to(ticket)
    mark.close()
    assert CountMark(path).ticket == 9
    data = bytearray(path.read_bytes())
    data[next(at for at in (0, 16) if data[at + 7] == 9)] ^= 1
    path.write_bytes(data)
    assert CountMark(path).ticket == 5
    path.write_bytes(b"")
    assert CountMark(path).ticket == 0
