"""Proof spaces: how they are written, what lies in them, and that two with a proof in common are noticed."""

import itertools
import re

import msgspec
import pytest

from secretsd.api.proof_spaces import CreateProofSpaceRequest
from secretsd.domain import proof_spaces
from secretsd.domain.proofs import ProofSpace

ACCOUNT = "100000000001"


def written(space: str) -> str:
    return msgspec.convert({"space": space, "account": ACCOUNT}, CreateProofSpaceRequest).space


@pytest.mark.parametrize(
    "space",
    [
        "unix:uid/1", "unix:uid/1000-1999", "unix:uid/7-7", "systemd:unit/a.service", "systemd:unit/acme-*.service",
        "systemd:unit/app@*.service", "systemd:unit/*.service", r"systemd:unit/a\x2db.service",
    ],
)  # fmt: skip
def test_spaces(space: str) -> None:
    assert written(space) == space
    assert proof_spaces.fault_of(space) is None


@pytest.mark.parametrize(
    "space",
    [
        "", "*", "unix:*", "unix:uid/*", "unix:uid/01", "unix:uid/1-", "unix:uid/1-02", "unix:uid/-1", "unix:uid/1-2-3",
        "unix:uid/1 ", "unix:uid/1\n", "unix:uid/٣", "systemd:*", "systemd:unit/*", "systemd:unit/.service",
        "systemd:unit/a?.service", "systemd:unit/a/b.service", "systemd:unit/a.scope", "systemd:unit/a.service\n",
        "systemd:unit/a b.service", f"systemd:unit/{'a' * 248}.service", "tls:ca/*", "jwt:issuer/*", "xunix:uid/1",
    ],
)  # fmt: skip
def test_what_is_no_space(space: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        written(space)


@pytest.mark.parametrize(
    ("space", "fault"),
    [
        ("unix:uid/0", "root"), ("unix:uid/0-10", "root"), ("unix:uid/2-1", "comes after"),
        ("unix:uid/1-4294967295", "above 4294967294"), ("unix:uid/4294967295", "above"),
    ],
)  # fmt: skip
def test_uids_that_cannot_be_left_to_anybody(space: str, fault: str) -> None:
    assert fault in str(proof_spaces.fault_of(written(space)))


@pytest.mark.parametrize(
    ("space", "inside", "outside"),
    [
        ("unix:uid/10-20", "unix:uid/10 unix:uid/20 unix:uid/15", "unix:uid/9 unix:uid/21 unix:uid/100 unix:uid/1"),
        ("unix:uid/7", "unix:uid/7", "unix:uid/70 unix:uid/77 systemd:unit/7.service"),
        (
            "systemd:unit/a-*.service",
            "systemd:unit/a-.service systemd:unit/a-b.service systemd:unit/a-b@c.service",
            "systemd:unit/a.service systemd:unit/A-b.service systemd:unit/xa-b.service unix:uid/1 a-b.service",
        ),
        ("systemd:unit/a.service", "systemd:unit/a.service", "systemd:unit/aXservice systemd:unit/a@b.service"),
        ("systemd:unit/*.service", "systemd:unit/x.service", "unix:uid/1 jwt:x/sub=a.service"),
    ],
)
def test_what_lies_in_a_space(space: str, inside: str, outside: str) -> None:
    made = ProofSpace(space, ACCOUNT, 1)
    after, before = proof_spaces.between(space)
    for proof in inside.split():
        assert made.holds(proof)
        assert after < proof < before
    assert not [proof for proof in outside.split() if made.holds(proof)]


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        ("unix:uid/1-5", "unix:uid/5-9", True), ("unix:uid/1-5", "unix:uid/6-9", False),
        ("unix:uid/1-9", "unix:uid/5", True), ("unix:uid/1-9", "unix:uid/3-4", True),
        ("unix:uid/1-9", "unix:uid/10", False), ("unix:uid/5", "systemd:unit/*.service", False),
        ("systemd:unit/a*.service", "systemd:unit/ab*.service", True),
        ("systemd:unit/a*.service", "systemd:unit/b*.service", False),
        ("systemd:unit/a*x.service", "systemd:unit/a*y.service", False),
        ("systemd:unit/a*x*.service", "systemd:unit/ab*y.service", True),
    ],
)  # fmt: skip
def test_spaces_with_a_proof_in_common(one: str, other: str, common: bool) -> None:
    assert proof_spaces.overlap(one, other) is common
    assert proof_spaces.overlap(other, one) is common


def test_of_globs_with_one_star_the_overlap_is_exact() -> None:
    """Against all names up to six letters of two: longer than any that two such globs need."""
    short = [""] + ["".join(letters) for size in (1, 2) for letters in itertools.product("ab", repeat=size)]
    names = ["".join(letters) for size in range(1, 7) for letters in itertools.product("ab", repeat=size)]
    globs = [f"{begin}*{end}" for begin in short for end in short] + [name for name in names if len(name) < 4]
    lies = {
        one: {name for name in names if re.fullmatch(one.replace("*", ".*"), name)} for one in globs
    }  # an independent reading of the glob
    for one, other in itertools.product(globs, repeat=2):
        spaces = f"systemd:unit/{one}.service", f"systemd:unit/{other}.service"
        assert proof_spaces.overlap(*spaces) is bool(lies[one] & lies[other]), spaces


def test_of_globs_with_more_stars_none_is_missed() -> None:
    globs = ["*a*", "a*b*a", "*ab*", "b*b*b", "*b*a", "a*a*", "ab*a*b", "*"]
    names = ["".join(letters) for size in range(1, 8) for letters in itertools.product("ab", repeat=size)]
    for one, other in itertools.product(globs, repeat=2):
        common = [name for name in names if all(re.fullmatch(each.replace("*", ".*"), name) for each in (one, other))]
        if common:
            assert proof_spaces.overlap(f"systemd:unit/{one}.service", f"systemd:unit/{other}.service"), (one, other)
