"""Counted uses: never lower than the truth after a crash, exact after an orderly end, refused at the limit."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretsd.adapters.keystore_process import use_counts
from secretsd.adapters.keystore_process.use_counts import BLOCK, UseCounts
from secretsd.domain.errors import InvalidState

KEY = "11111111-2222-4333-8444-555555555555"
OTHER = "99999999-2222-4333-8444-555555555555"


def silent(sentence: str) -> None:
    raise AssertionError(sentence)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "key-uses"


def test_an_orderly_end_keeps_the_exact_counts(path: Path) -> None:
    counts = UseCounts(path, silent)
    for _ in range(3):
        counts.encrypting(KEY, 1)
    counts.decrypting(KEY, 1)
    counts.encrypting(KEY, 2)
    counts.close()
    again = UseCounts(path, silent)
    assert (again.of((KEY, 1)), again.of((KEY, 2)), again.of((OTHER, 1))) == (4, 1, 0)
    again.close()


def test_a_file_is_written_anew_only_where_more_stands_in_it_than_counts(path: Path) -> None:
    counts = UseCounts(path, silent)
    counts.encrypting(KEY, 1)
    counts.close()
    left = path.stat()
    counts = UseCounts(path, silent)
    assert path.stat().st_ino == left.st_ino
    counts.encrypting(KEY, 1)
    assert path.stat().st_size > left.st_size
    grown = UseCounts(path, silent)  # a crash: the key has two records
    assert path.stat().st_ino != left.st_ino
    assert path.stat().st_size == left.st_size
    assert grown.of((KEY, 1)) > 2
    grown.close()
    with path.open("ab") as file:
        file.write(b"torn")
    torn = UseCounts(path, silent)
    assert path.stat().st_size == left.st_size
    assert torn.of((KEY, 1)) == grown.of((KEY, 1))
    torn.close()


@given(
    rounds=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.booleans()), max_size=6),
    torn=st.integers(0, 44),
)
def test_a_crash_counts_too_much_at_worst(rounds: list[tuple[int, int, bool]], torn: int) -> None:
    with TemporaryDirectory() as place:
        path, truth = Path(place) / "key-uses", 0
        for encryptions, decryptions, orderly in rounds:
            counts = UseCounts(path, silent, block=8)
            assert counts.of((KEY, 1)) >= truth
            counts.reserve([((KEY, 1), encryptions, 0), ((KEY, 1), 0, decryptions)])
            for _ in range(encryptions):
                counts.encrypting(KEY, 1)
            for _ in range(decryptions):
                counts.decrypting(KEY, 1)
            truth += encryptions + decryptions
            if orderly:
                counts.close()
            else:
                with path.open("ab") as file:
                    file.write(os.urandom(torn))  # the record that was being written
        last = UseCounts(path, silent, block=8)
        assert truth <= last.of((KEY, 1)) <= truth + 2 * 8 * len(rounds)
        last.close()


def test_one_batch_is_one_write(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = UseCounts(path, silent)
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    counts.reserve([((KEY, version), 1, 1) for version in range(1, 17)])
    assert len(synced) == 1
    for version in range(1, 17):
        counts.encrypting(KEY, version)
        counts.decrypting(KEY, version)
    assert len(synced) == 1
    for _ in range(BLOCK + 1):
        counts.encrypting(KEY, 1)
    assert len(synced) == 2


def test_the_limit_of_a_key_is_never_passed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(use_counts, "ALARM", 5)
    monkeypatch.setattr(use_counts, "LIMIT", 10)
    alarms: list[str] = []
    counts = UseCounts(path, alarms.append, block=2)
    for _ in range(9):
        counts.encrypting(KEY, 1)
    for _ in range(2):
        with pytest.raises(InvalidState, match=r"^cannot encrypt under key .* rotate it"):
            counts.encrypting(KEY, 1)
    counts.encrypting(KEY, 2)
    for _ in range(20):
        counts.decrypting(KEY, 1)
    assert len(alarms) == 1
    assert "half" in alarms[0]
    counts.close()


def test_a_key_that_is_used_up_is_loaded_all_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(use_counts, "LIMIT", 10)
    counts = UseCounts(path, lambda _: None, block=2)
    for _ in range(12):
        counts.loading(KEY, 1)
    with pytest.raises(InvalidState, match="used up"):
        counts.encrypting(KEY, 1)
    counts.loading(KEY, 1)
    assert counts.of((KEY, 1)) == 13
    counts.close()
    again = UseCounts(path, lambda _: None, block=2)
    assert again.of((KEY, 1)) == 13
    again.close()


def test_the_limit_is_that_of_the_standard() -> None:
    assert use_counts.ALARM == 2**31
    assert use_counts.LIMIT == 2**32


def test_a_disk_that_refuses_stops_the_use(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = UseCounts(path, silent)
    counts.encrypting(KEY, 1)

    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            counts.encrypting(OTHER, 1)
        assert counts.of((OTHER, 1)) == 0
        counts.encrypting(KEY, 1)  # reserved before, so still good
    counts.encrypting(OTHER, 1)
    counts.close()
    assert UseCounts(path, silent).of((OTHER, 1)) == 1


def test_a_long_file_is_compacted_without_forgetting(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(use_counts, "_COMPACT_BYTES", 1000)
    counts = UseCounts(path, silent, block=1)
    for _ in range(200):
        counts.encrypting(KEY, 1)
    assert path.stat().st_size < 2000
    assert UseCounts(path, silent, block=1).of((KEY, 1)) >= 200


def test_a_disk_that_is_full_while_the_file_is_compacted_costs_no_count_and_no_descriptor(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = UseCounts(path, silent, block=1)
    for _ in range(10):
        counts.encrypting(KEY, 1)

    def full(_path: Path, _data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(use_counts, "_COMPACT_BYTES", -1000)  # so the next record finds the file too long
        patch.setattr(use_counts, "write_durably", full)
        with pytest.raises(OSError, match="No space"):
            counts.reserve([((KEY, 1), 50, 0)])
        others = [os.open(os.devnull, os.O_RDONLY) for _ in range(3)]  # one has the number of a file that was closed
        with pytest.raises(OSError, match="No space"):
            counts.reserve([((KEY, 1), 50, 0)])
    for one in others:
        os.close(one)
    counts.reserve([((KEY, 1), 50, 0)])
    assert UseCounts(path, silent, block=1).of((KEY, 1)) >= 60, "a crash would forget what was reserved"
    counts.close()
