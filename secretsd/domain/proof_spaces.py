"""How proof spaces are written, and whether two have a proof in common: each proof is one account's to bind.

Uids (`unix:uid/2000`, `unix:uid/2000-2999`) and systemd units (`systemd:unit/acme-*.service`). Proofs of certificates
and JWTs need no space: their authority or issuer belongs to one account.
"""

import re

from secretsd.domain.patterns import glob

UID_PROOF = r"unix:uid/(?:0|[1-9][0-9]{0,9})"
_UNIT = r"[A-Za-z0-9:_.\\@-]{1,247}\.service"
UNIT_PROOF = rf"systemd:unit/{_UNIT}"
SPACE_PATTERN = (
    rf"^(?:{UID_PROOF}(?:-[1-9][0-9]{{0,9}})?|systemd:unit/[A-Za-z0-9:_.\\@*-]{{1,247}}\.service)$(?![\s\S])"
)
MAX_UID = 2**32 - 2
"""The last one of all is no uid (chown(2) takes it for "leave it")."""
LAST_OF_ASCII = "\x7f"
_RANGE = re.compile(r"unix:uid/([0-9]{1,10})(?:-([0-9]{1,10}))?", re.ASCII)


def fault_of(space: str) -> str | None:
    """Why that cannot be a proof space, though it is written like one; None where it can."""
    if (uids := uids_of(space)) is None:
        return None
    first, last = uids
    if first > last:
        return "its first uid comes after its last one"
    if last > MAX_UID:
        return f"there are no uids above {MAX_UID}"
    if first == 0:
        return "uid 0 is root of this host, whom operators alone bind"
    return None


def holds(space: str, proof: str) -> bool:
    """Whether the proof lies in the space."""
    bounds, uid = uids_of(space), uids_of(proof)
    if bounds is None or uid is None:
        return bool(glob(space)(proof))
    return uid[0] == uid[1] and bounds[0] <= uid[0] <= bounds[1]


def overlap(one: str, other: str) -> bool:
    """Whether the two spaces have a proof in common. Of two globs with several stars each it may say so wrongly."""
    uids, others = uids_of(one), uids_of(other)
    if uids is not None and others is not None:
        return uids[0] <= others[1] and others[0] <= uids[1]
    if uids is not None or others is not None:
        return False
    if "*" not in one or "*" not in other:
        return holds(one, other) or holds(other, one)
    begins, ends = (one.partition("*")[0], other.partition("*")[0]), (one.rpartition("*")[2], other.rpartition("*")[2])
    # With a star in both, whatever begins and ends as both want lies in both, if nothing more is wanted between.
    return _fits(begins) and _fits((ends[0][::-1], ends[1][::-1]))


def between(space: str) -> tuple[str, str]:
    """Two texts: every proof of the space comes after the first and before the second, in order of characters."""
    begins = "unix:uid/" if uids_of(space) is not None else space.partition("*")[0]
    return begins[:-1], begins + LAST_OF_ASCII


def uids_of(text: str) -> tuple[int, int] | None:
    """First and last uid of a space of uids, or of a proof that is one; None for anything else."""
    found = _RANGE.fullmatch(text)
    return None if found is None else (int(found[1]), int(found[2] or found[1]))


def _fits(texts: tuple[str, str]) -> bool:
    """Whether one of the two begins with the other."""
    short, long = sorted(texts, key=len)
    return long.startswith(short)
