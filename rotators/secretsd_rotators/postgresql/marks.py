"""The mark that a change leaves in the role's comment: which secret, which version, under which epoch.

It stands at the end; what a person wrote before it stays. Recovery needs no mark, but a foreign one stops a rotation.
"""

import re

from secretsd.ports.rotator import Job, RotationFailed
from secretsd_rotators.postgresql.session import Session

_MARK = re.compile(r"\s*secretsd:(?P<secret>[0-9a-f-]{36}):v(?P<number>\d{1,18}):epoch(?P<epoch>\d{1,18})\s*\Z")
READ = "SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = $1"


def marked(comment: str | None, job: Job, number: int) -> str:
    """The comment with our mark instead of the one before."""
    own = _MARK.sub("", comment or "")
    return f"{own} " * bool(own) + f"secretsd:{job.secret_id}:v{number}:epoch{job.epoch}"


async def comment_of(session: Session, login: str) -> str | None:
    """The role's comment."""
    found = await session.rows(READ, login)
    return found[0][0] if found else None


def require_ours(comment: str | None, job: Job) -> None:
    """Raise RotationFailed where another secret, or a later owner of this one, has changed the role."""
    found = _MARK.search(comment or "")
    if found is None:
        return
    if found["secret"] != job.secret_id:
        raise RotationFailed("foreign-mark")
    if int(found["epoch"]) > job.epoch:
        raise RotationFailed("later-epoch")
