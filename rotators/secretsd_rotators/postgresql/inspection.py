"""What has to hold at a server before a password is changed there; each lack has a reason of its own."""

from dataclasses import dataclass

from secretsd.ports.rotator import RotationFailed
from secretsd_rotators.postgresql.session import Session
from secretsd_rotators.postgresql.verifiers import DEFAULT_ITERATIONS, MAX_ITERATIONS

VERSIONS = range(14, 19)
READ_ONLY = (
    "SELECT setting = 'on' AND source NOT LIKE '%user' FROM pg_settings WHERE name = 'default_transaction_read_only'"
)
"""Whether the server, and not only the role itself, says that nothing is to be written."""
_ROLE = f"""
SELECT r.rolcanlogin, r.rolsuper, coalesce(r.rolvaliduntil < now(), false),
    s.rolsuper, s.rolcreaterole, s.rolname = r.rolname, pg_is_in_recovery(),
    ({READ_ONLY}), current_setting('scram_iterations', true), r.rolreplication
FROM pg_roles AS s LEFT JOIN pg_roles AS r ON r.rolname = $1 WHERE s.rolname = session_user
"""  # noqa: S608  # of constants
_ADMIN_OPTION = (
    "SELECT pg_has_role(session_user, r.oid, 'MEMBER WITH ADMIN OPTION') FROM pg_roles AS r WHERE rolname = $1"
)
_FUNCTION = """
SELECT coalesce(has_function_privilege(session_user, to_regprocedure($1 || '(text,text)'), 'EXECUTE'), false)
"""


@dataclass(frozen=True, slots=True)
class Found:
    """`iterations` is the server's own; `marks` says whether we may comment on the role."""

    iterations: int
    marks: bool


async def inspect(session: Session, login: str, *, by_admin: bool, function: str | None) -> Found:
    """Look at server and role, or raise RotationFailed."""
    if session.server_version not in VERSIONS:
        raise RotationFailed("unsupported-version", f"it is {session.server_version}, not 14 to 18")
    (
        (may_log_in, is_super, expired, super_, creates, same, recovering, read_only, iterations, replicates),
    ) = await session.rows(_ROLE, login)
    if recovering == "t":
        raise RotationFailed("target-in-recovery", away=True)
    if read_only == "t":  # a role's own such setting is for its application, and we begin READ WRITE
        raise RotationFailed("target-read-only", away=True)
    if may_log_in is None:
        raise RotationFailed("role-missing")
    if may_log_in == "f":
        raise RotationFailed("role-cannot-log-in")
    if expired == "t":
        raise RotationFailed("role-expired")
    rounds = int(iterations or DEFAULT_ITERATIONS)
    if rounds > MAX_ITERATIONS:
        raise RotationFailed("too-many-iterations", f"{rounds} of at most {MAX_ITERATIONS}")
    if not by_admin:
        if same != "t":
            raise RotationFailed("another-session-user")
        return Found(rounds, marks=super_ == "t")
    if same == "t":
        raise RotationFailed("own-admin")
    if function is not None:
        ((may_call,),) = await session.rows(_FUNCTION, function)
        if may_call != "t":
            raise RotationFailed("insufficient-privilege", f"no EXECUTE on {function}")
        return Found(rounds, marks=False)
    if super_ != "t":
        if is_super == "t":
            raise RotationFailed("insufficient-privilege", "only a superuser can change a superuser")
        if replicates == "t" and session.server_version < 16:
            raise RotationFailed("insufficient-privilege", "before 16 only a superuser can change a replication role")
        if creates != "t":
            raise RotationFailed("insufficient-privilege", "the administrator lacks CREATEROLE")
        if session.server_version >= 16 and await session.rows(_ADMIN_OPTION, login) != [("t",)]:
            raise RotationFailed("insufficient-privilege", "the administrator lacks ADMIN OPTION on the role")
    return Found(rounds, marks=True)
