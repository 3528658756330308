"""From when on a destroyed key is erased from backups: when every root that may have wrapped it is gone, or by age."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretsd.domain.root_keys import ErasedBy, Erasure, RootKey, erased_from_backups

MADE, DESTROYED = 100, 200


def root(generation: int, made_ms: int, destroyed_ms: int | None = None) -> RootKey:
    return RootKey(f"root-{generation}", generation, made_ms, destroyed_ms=destroyed_ms)


@pytest.mark.parametrize(
    ("roots", "retention_ms", "expected"),
    [
        ([root(1, 0)], None, Erasure(ErasedBy.NOTHING_YET, None)),
        ([], None, Erasure(ErasedBy.NOTHING_YET, None)),
        ([root(1, 0)], 50, Erasure(ErasedBy.BACKUPS_EXPIRED, 250)),
        ([root(1, 0, 300), root(2, 210)], None, Erasure(ErasedBy.ROOT_DESTROYED, 300)),
        ([root(1, 0, 300), root(2, 210)], 50, Erasure(ErasedBy.BACKUPS_EXPIRED, 250)),
        ([root(1, 0, 300), root(2, 210)], 500, Erasure(ErasedBy.ROOT_DESTROYED, 300)),
        # It was moved to the second one before it was destroyed, so later backups hold it under that one.
        ([root(1, 0, 300), root(2, 150)], None, Erasure(ErasedBy.NOTHING_YET, None)),
        ([root(1, 0, 300), root(2, 150, 400), root(3, 350)], None, Erasure(ErasedBy.ROOT_DESTROYED, 400)),
        # A root that was gone before the key was made never wrapped it; one that went before the key did, did.
        ([root(1, 0, 90), root(2, 80, 400), root(3, 350)], None, Erasure(ErasedBy.ROOT_DESTROYED, 400)),
        ([root(1, 0, 150), root(2, 140)], None, Erasure(ErasedBy.NOTHING_YET, None)),
        ([root(1, 0, 150), root(2, 140, 180), root(3, 205)], None, Erasure(ErasedBy.ROOT_DESTROYED, DESTROYED)),
    ],
)
def test_when_it_is_erased(roots: list[RootKey], retention_ms: int | None, expected: Erasure) -> None:
    assert erased_from_backups(MADE, DESTROYED, roots, retention_ms=retention_ms) == expected


def test_what_never_left_the_token_was_in_no_backup() -> None:
    found = erased_from_backups(MADE, DESTROYED, [root(1, 0)], resident=True)
    assert found == Erasure(ErasedBy.NEVER_THERE, DESTROYED)


_MOMENT = st.integers(0, 1000)


@given(
    made=_MOMENT,
    lived=_MOMENT,
    roots=st.lists(st.tuples(_MOMENT, st.none() | st.integers(0, 3000)), max_size=5),
    wrapped_at=_MOMENT,
    looked_at=st.integers(0, 5000),
)
def test_it_is_never_told_too_early(
    made: int, lived: int, roots: list[tuple[int, int | None]], wrapped_at: int, looked_at: int
) -> None:
    """Wherever the key was wrapped in its life, a root that opens that blob is gone by the moment that is told."""
    known = [root(number, *moments) for number, moments in enumerate(roots)]
    destroyed = made + lived
    told = erased_from_backups(made, destroyed, known)
    moment = min(max(wrapped_at, made), destroyed)
    for one in known:
        could_wrap = one.made_ms <= moment and (one.destroyed_ms is None or one.destroyed_ms >= moment)
        opens_still = one.destroyed_ms is None or one.destroyed_ms > looked_at
        if could_wrap and opens_still:
            assert told.at_ms is None or told.at_ms > looked_at
