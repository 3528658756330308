"""What stands in the way of a change is told in one word, and nothing was changed."""

import json

import pytest

from secretsd.domain.errors import InvalidRequest
from secretsd.domain.sensitive import Plaintext
from secretsd.ports.rotator import Acceptance, Outcome, RotationFailed, StagedSecret
from secretsd.testing.postgres import free_port, postgres
from secretsd_rotators.postgresql.settings import PostgreSQLAddress, PostgreSQLSettings

pytestmark = pytest.mark.integration


async def refused(case, reason: str, *, away: bool = False) -> None:
    """Prepare says so, and the role is as it was."""
    before = case.server.sql("SELECT rolname, rolpassword FROM pg_authid ORDER BY 1")
    with pytest.raises(RotationFailed) as failed:
        await case.prepare()
    assert (failed.value.reason, failed.value.away) == (reason, away)
    assert case.server.sql("SELECT rolname, rolpassword FROM pg_authid ORDER BY 1") == before


async def test_a_server_that_is_down(case) -> None:
    case.port = free_port()
    await refused(case, "target-unreachable", away=True)
    assert await case.rotator.probe(case.job, [case.current]) == {"v1": Acceptance.UNKNOWN}


async def test_a_host_that_has_no_address(case) -> None:
    case.told = {"host": "nowhere.invalid", "tls": "verify-full"}
    await refused(case, "target-unreachable", away=True)


async def test_an_administrators_wrong_password(case) -> None:
    case.admin = ("postgres", "wrong")
    await refused(case, "admin-refused")


async def test_an_administrator_that_is_the_login_itself(case) -> None:
    case.admin = (case.logins[0], "password-at-the-start")
    await refused(case, "own-admin")


async def test_an_administrator_that_is_the_login_itself_under_another_name(case) -> None:
    """The server cuts a name off after 63 bytes, so these two are one role: only the server can tell."""
    name = f"{case.logins[0]}_".ljust(63, "x")
    case.server.sql(f"CREATE ROLE {name} SUPERUSER LOGIN PASSWORD 'password-at-the-start'")
    case.admin, case.logins = (f"{name}y", "password-at-the-start"), (name,)
    await refused(case, "own-admin")


async def test_an_expired_administrator(case) -> None:
    case.server.sql("DROP ROLE IF EXISTS expired_admin", "CREATE ROLE expired_admin SUPERUSER LOGIN PASSWORD 'x'")
    case.server.sql("ALTER ROLE expired_admin VALID UNTIL '2020-01-01'")
    case.admin = ("expired_admin", "x")
    await refused(case, "admin-refused")


async def test_a_login_that_cannot_change_itself_any_more(case) -> None:
    case.admin = None
    case.current = StagedSecret("v1", Plaintext(b"wrong"), 1)
    await refused(case, "current-refused")


async def test_a_role_that_vanished(case) -> None:
    case.server.sql(f"DROP ROLE {case.logins[0]}")
    await refused(case, "role-missing")


@pytest.mark.parametrize(
    ("change", "reason"), [("NOLOGIN", "role-cannot-log-in"), ("VALID UNTIL '2020-01-01'", "role-expired")]
)
async def test_a_role_that_could_not_log_in_afterwards(case, change, reason) -> None:
    case.server.sql(f"ALTER ROLE {case.logins[0]} {change}")
    await refused(case, reason)


async def test_a_role_that_vanishes_between_prepare_and_apply(case) -> None:
    await case.prepare()
    case.server.sql(f"DROP ROLE {case.logins[0]}")
    with pytest.raises(RotationFailed, match="role-missing"):
        await case.apply()


@pytest.mark.parametrize("at", ["prepare", "apply"])
async def test_a_server_that_takes_no_writes(case, at) -> None:
    if at == "apply":
        await case.prepare()
    before = case.stored()
    case.server.sql("ALTER DATABASE postgres SET default_transaction_read_only = on")
    try:
        with pytest.raises(RotationFailed) as failed:
            await (case.prepare() if at == "prepare" else case.apply())
    finally:
        with case.server.connect(options="-c default_transaction_read_only=off") as connection:
            connection.execute("ALTER DATABASE postgres RESET default_transaction_read_only")
    assert (failed.value.reason, failed.value.away) == ("target-read-only", True)
    assert case.stored() == before


async def test_a_server_without_a_free_connection(case) -> None:
    case.server.sql(f"ALTER ROLE {case.logins[0]} CONNECTION LIMIT 0")
    case.admin = None
    await refused(case, "target-too-many-connections", away=True)


async def test_a_standby(tmp_path) -> None:
    """Recovery is told apart from a server that is down: there is nothing to wait for but the end of it."""
    with postgres() as running:
        (running.directory / "data" / "standby.signal").touch()
        password = running.password
        running.stop()
        running.settings = {"primary_conninfo": "", "restore_command": "false"}
        running.start()
        from tests.rotators.postgresql.conftest import Case

        case = Case(running, ("nobody",), ("postgres", password))
        with pytest.raises(RotationFailed) as failed:
            await case.prepare()
        assert (failed.value.reason, failed.value.away) == ("target-in-recovery", True)


async def test_a_policy_of_the_server_that_rejects_this_password(case) -> None:
    case.server.sql(
        "CREATE OR REPLACE FUNCTION public.picky(login text, verifier text) RETURNS void LANGUAGE plpgsql AS "
        "$$BEGIN RAISE EXCEPTION 'too weak' USING ERRCODE = '22023'; END$$"
    )
    case.function = "public.picky"
    await case.prepare()
    before = case.stored()
    assert await case.apply() is Outcome.REJECTED
    assert case.stored() == before


async def test_two_logins_need_values_that_name_them(pair) -> None:
    pair.settings = PostgreSQLSettings(format="password")
    with pytest.raises(RotationFailed, match="bad-settings"):
        await pair.prepare()


@pytest.mark.parametrize("host", ["db.example.net", "10.0.0.1", "192.168.1.1", "0.0.0.0"])
def test_without_tls_nothing_but_loopback_is_reached(host) -> None:
    with pytest.raises(InvalidRequest):
        PostgreSQLAddress(host, tls="off")


async def test_a_value_that_names_no_password(case) -> None:
    case.admin = None
    case.current = StagedSecret("v1", Plaintext(json.dumps({"username": "x"}).encode()), 1)
    await refused(case, "value-unreadable")
