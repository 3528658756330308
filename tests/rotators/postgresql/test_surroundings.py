"""Nothing is decided by others: by the owner of the database, a role's settings, a value, the environment."""

import json
import socket

import pytest

from secretsd.domain.sensitive import Plaintext
from secretsd.ports.rotator import Acceptance, Outcome, RotationFailed, StagedSecret

pytestmark = pytest.mark.integration
NEIGHBOUR = "password-of-the-neighbour"


@pytest.fixture
def neighbour(case) -> str:
    """Another role of the same server."""
    name = f"neighbour_of_{case.logins[0]}"
    case.server.sql(f"CREATE ROLE {name} LOGIN PASSWORD '{NEIGHBOUR}'")
    return name


def version(value: bytes | dict[str, str], number: int = 1) -> StagedSecret:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return StagedSecret(f"v{number}", Plaintext(data), number)


@pytest.mark.parametrize("by_admin", [True, False])
async def test_who_owns_the_database_gets_nothing_run_with_our_rights(case, neighbour, by_admin) -> None:
    """Functions of his own, put before PostgreSQL's by the database's search_path, would run as the administrator."""
    shop = f"shop_of_{case.logins[0]}"
    case.server.sql(f"CREATE DATABASE {shop} OWNER {neighbour}")
    with case.server.connect(neighbour, NEIGHBOUR, shop) as owner:
        owner.execute("CREATE SCHEMA trap; GRANT USAGE ON SCHEMA trap TO public")
        owner.execute("CREATE TABLE trap.caught (who text); GRANT INSERT ON trap.caught TO public")
        # One for each function that is called by no qualified name.
        for signature, result in (
            ("pg_is_in_recovery()", "boolean"), ("pg_current_xact_id()", "xid8"), ("pg_backend_pid()", "integer"),
            ("pg_terminate_backend(pid integer, timeout bigint DEFAULT 0)", "boolean"),
            ("pg_xact_status(xid8)", "text"), ("now()", "timestamptz"), ("current_setting(text)", "text"),
            ("current_setting(text, boolean)", "text"), ("shobj_description(oid, name)", "text"),
            ("pg_has_role(name, oid, text)", "boolean"),
        ):  # fmt: skip
            name = signature.partition("(")[0]
            count = 0 if signature.endswith("()") else signature.count(",") + 1
            given = "(" + ", ".join(f"${number}" for number in range(1, count + 1)) + ")"
            owner.execute(
                f"CREATE FUNCTION trap.{signature} RETURNS {result} LANGUAGE plpgsql AS $$"
                f"BEGIN INSERT INTO trap.caught VALUES (session_user); RETURN pg_catalog.{name}{given}; END$$"
            )
        owner.execute(f"ALTER DATABASE {shop} SET search_path = trap, pg_catalog")
    case.told = {"database": shop}
    case.admin = case.admin if by_admin else None
    await case.rotate()
    await case.prepare()
    await case.rotator.settle(case.job)
    assert await case.apply() is Outcome.APPLIED
    assert case.server.sql("SELECT who FROM trap.caught", database=shop) == []
    with case.server.connect(database=shop) as unprotected:  # so that the trap is known to catch
        unprotected.execute("SELECT pg_is_in_recovery(), pg_current_xact_id(), now()")
    assert case.server.sql("SELECT who FROM trap.caught", database=shop) != []


@pytest.mark.parametrize(
    "setting",
    [
        "default_transaction_read_only = on",
        "statement_timeout = '1ms'",
        "lock_timeout = '1ms'",
        "default_transaction_isolation = serializable",
        "search_path = nowhere",
        "synchronous_commit = off",
        "standard_conforming_strings = off",
    ],
)
async def test_settings_that_a_role_has_for_its_application_do_not_stop_it_from_changing_itself(case, setting) -> None:
    case.server.sql(f"ALTER ROLE {case.logins[0]} SET {setting}")
    case.admin = None
    for _ in range(2):
        await case.rotate()
    found = json.loads(case.current.value.reveal())
    assert case.server.accepts(case.logins[0], found["password"])


async def test_an_administrator_that_acts_as_somebody_else_changes_roles_as_itself(case, neighbour) -> None:
    name = f"admin_of_{case.logins[0]}"
    case.server.sql(
        f"CREATE ROLE {name} SUPERUSER LOGIN PASSWORD '{NEIGHBOUR}'", f"ALTER ROLE {name} SET role TO {neighbour}"
    )
    case.admin = (name, NEIGHBOUR)
    await case.rotate()


async def test_a_session_that_only_borrows_our_name_keeps_nobody_waiting(case, neighbour) -> None:
    await case.prepare()
    name = f"secretsd:{case.secret_id[:8]}:1"
    case.admin = None
    with case.server.connect(neighbour, NEIGHBOUR, application_name=name) as borrowed:
        await case.rotator.settle(case.job)
        assert borrowed.execute("SELECT 1").fetchall() == [(1,)], "and a login ends none but its own"


async def test_a_value_that_names_another_login_tries_no_password_of_that_one(case, neighbour) -> None:
    """An account puts its values itself: through us it must not be able to guess at a login that is not its own."""
    other = version({"username": neighbour, "password": NEIGHBOUR}, 7)
    logged_in = f"connection authorized: user={neighbour} "
    assert await case.rotator.probe(case.job, [other]) == {"v7": Acceptance.REFUSED}
    case.candidate = other
    for step in (case.rotator.verify, case.rotator.settle, case.rotator.restore):
        with pytest.raises(RotationFailed, match="another-login"):
            await step(case.job)
    case.candidate, case.current = None, other
    for admin in (case.admin, None):
        case.admin = admin
        with pytest.raises(RotationFailed, match="another-login"):
            await case.prepare()
    assert logged_in not in case.server.log
    assert case.server.accepts(neighbour, NEIGHBOUR)
    assert logged_in in case.server.log, "the log does tell of logins"


@pytest.mark.parametrize(
    "value",
    [
        b"\xff\xfe",
        b"",
        b"a\0b",
        {"username": "", "password": "x"},
        {"password": "x"},
        {"username": "x", "password": "a\0b"},
    ],
)
async def test_a_version_that_no_login_can_be_made_with_is_refused_and_breaks_nothing(case, value) -> None:
    if isinstance(value, dict) and value.get("username") == "x":
        value = {**value, "username": case.logins[0]}
    asked = [version(value, 7), case.current]
    assert await case.rotator.probe(case.job, asked) == {"v7": Acceptance.REFUSED, "v1": Acceptance.ACCEPTED}


@pytest.mark.parametrize(
    "password", ["pa ss'w\\ord\"", "Grüße", "\u2168\u00adIX\u00a0", "\u0627\u0031\u0628", "x" * 200]
)
async def test_restoring_a_password_that_a_person_chose(case, password) -> None:
    """Its verifier is made as a login makes it, SASLprep and all; otherwise nobody could ever log in with it again."""
    case.current = version({"username": case.logins[0], "password": password})
    await case.prepare()
    assert await case.apply() is Outcome.APPLIED
    assert await case.rotator.restore(case.job) is Outcome.APPLIED
    assert case.server.accepts(case.logins[0], password)
    assert await case.rotator.probe(case.job, [case.current]) == {"v1": Acceptance.ACCEPTED}


async def test_the_environment_has_no_say(case, monkeypatch, tmp_path) -> None:
    """Neither PG* variables nor a password file nor a service file are read."""
    passfile = tmp_path / "passwords"
    passfile.write_text(f"*:*:*:*:{case.server.password}\n")
    passfile.chmod(0o600)
    services = tmp_path / "services"
    services.write_text("[elsewhere]\nhost=192.0.2.1\nport=1\n")
    for name, value in {
        "PGHOST": "192.0.2.1", "PGHOSTADDR": "192.0.2.1", "PGPORT": "1", "PGPASSFILE": str(passfile),
        "PGUSER": "nobody", "PGPASSWORD": case.server.password, "PGSERVICEFILE": str(services),
        "PGSERVICE": "elsewhere", "PGOPTIONS": "-c default_transaction_read_only=on", "PGREQUIREAUTH": "none",
        "PGSSLMODE": "require", "PGTARGETSESSIONATTRS": "standby", "PGCHANNELBINDING": "require",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".pgpass").write_text(passfile.read_text())
    (tmp_path / ".pgpass").chmod(0o600)
    await case.rotate()
    case.admin = ("postgres", "wrong")
    with pytest.raises(RotationFailed, match="admin-refused"):
        await case.prepare()


async def test_a_server_that_asks_for_iterations_without_end_keeps_nobody_busy(case) -> None:
    if case.server.major < 16:
        assert case.server.sql("SELECT current_setting('scram_iterations', true)") == [(None,)]
        return
    case.server.sql("ALTER DATABASE postgres SET scram_iterations = 2000000000")
    try:
        with pytest.raises(RotationFailed, match="too-many-iterations"):
            await case.prepare()
    finally:
        case.server.sql("ALTER DATABASE postgres RESET scram_iterations")


async def test_a_host_name_that_leads_elsewhere_is_not_reached_without_tls(case, monkeypatch) -> None:
    case.told = {"host": "localhost"}
    await case.rotate()
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: real("192.0.2.1", *rest, **more))
    with pytest.raises(RotationFailed, match="tls-not-verified"):
        await case.prepare()
