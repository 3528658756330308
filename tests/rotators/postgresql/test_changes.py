"""One login and two in turns: what the server has afterwards, and that it never learns a password."""

import asyncio
import json

import pytest

from secretsd.domain.sensitive import Plaintext
from secretsd.ports.rotator import Acceptance, Outcome, RotationFailed, StagedSecret
from secretsd_rotators.postgresql.settings import PostgreSQLSettings
from secretsd_rotators.postgresql.verifiers import matches, verifier

pytestmark = pytest.mark.integration


async def test_the_value_is_what_awss_clients_know(case) -> None:
    await case.rotate()
    found = json.loads(case.current.value.reveal())
    address = case.job.target.address
    assert (found["engine"], found["dbname"]) == ("postgres", address.database)
    assert (found["host"], found["port"], found["username"]) == (address.host, address.port, case.logins[0])
    assert case.server.accepts(found["username"], found["password"])
    assert len(found["password"]) == 32


async def test_what_else_the_value_holds_is_kept(case) -> None:
    value = {"username": case.logins[0], "password": "password-at-the-start", "pool": 7}
    case.current = StagedSecret("v1", Plaintext(json.dumps(value).encode()), 1)
    await case.rotate()
    assert json.loads(case.current.value.reveal())["pool"] == 7


async def test_a_password_alone(case) -> None:
    case.settings = PostgreSQLSettings(format="password", exclude_characters="0O1lI")
    await case.rotate()
    password = case.current.value.reveal().decode()
    assert case.server.accepts(case.logins[0], password)
    assert not set(password) & set("0O1lI")


async def test_the_server_has_the_journaled_verifier_byte_for_byte(case) -> None:
    await case.prepare()
    journaled = json.loads(case.candidate.journal)["verifier"]
    assert await case.apply() is Outcome.APPLIED
    assert case.stored() == journaled
    assert await case.apply() is Outcome.APPLIED
    assert case.stored() == journaled
    assert matches(Plaintext.from_text(json.loads(case.candidate.value.reveal())["password"]), journaled)


async def test_the_servers_own_iterations_are_used(case) -> None:
    if case.server.major < 16:
        await case.prepare()
        assert ":" in case.candidate.journal.decode()
        assert json.loads(case.candidate.journal)["verifier"].startswith("SCRAM-SHA-256$4096:")
        return
    case.server.sql("ALTER ROLE postgres SET scram_iterations = 5000")
    try:
        await case.prepare()
    finally:
        case.server.sql("ALTER ROLE postgres RESET scram_iterations")
    assert json.loads(case.candidate.journal)["verifier"].startswith("SCRAM-SHA-256$5000:")


def test_our_verifier_is_postgresqls_own(server) -> None:
    server.sql("CREATE ROLE compared LOGIN PASSWORD 'a password'")
    try:
        ((stored,),) = server.sql("SELECT rolpassword FROM pg_authid WHERE rolname = 'compared'")
    finally:
        server.sql("DROP ROLE compared")
    assert matches(Plaintext.from_text("a password"), stored)
    assert not matches(Plaintext.from_text("another"), stored)
    assert not matches(Plaintext.from_text("a password"), "md5d41d8cd98f00b204e9800998ecf8427e")
    assert verifier(Plaintext.from_text("a password"), 4096) != stored, "the salt is new each time"


async def test_the_mark_stands_behind_what_a_person_wrote(case) -> None:
    role = case.logins[0]
    case.server.sql(f"COMMENT ON ROLE {role} IS 'owned by team blue'")
    await case.rotate()
    await case.rotate()
    ((comment,),) = case.server.sql(
        f"SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = '{role}'"
    )
    assert comment == f"owned by team blue secretsd:{case.secret_id}:v3:epoch1"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [({"epoch": 0}, "later-epoch"), ({"secret_id": "ffffffff-bbbb-4ccc-8ddd-eeeeeeeeeeee"}, "foreign-mark")],
)
async def test_another_owners_mark_stops_everything(case, changed, reason) -> None:
    await case.rotate()
    before = case.stored()
    await case.prepare()
    for name, value in changed.items():
        setattr(case, name, value)
    with pytest.raises(RotationFailed, match=reason):
        await case.apply()
    with pytest.raises(RotationFailed, match=reason):
        await case.prepare()
    assert case.stored() == before


async def test_a_login_that_changes_itself(case) -> None:
    case.admin = None
    for _ in range(3):
        await case.rotate()
    found = json.loads(case.current.value.reveal())
    assert case.server.accepts(case.logins[0], found["password"])


async def test_two_logins_take_turns_and_the_one_that_is_served_always_works(pair) -> None:
    seen = []
    for _ in range(4):
        await pair.prepare()
        if pair.current is not None:
            assert await pair.rotator.idle(pair.job)
            before = json.loads(pair.current.value.reveal())
            assert await pair.apply() is Outcome.APPLIED
            assert pair.server.accepts(before["username"], before["password"]), "not touched"
        else:
            assert await pair.apply() is Outcome.APPLIED
        await pair.rotator.verify(pair.job)
        pair.promote()
        seen.append(json.loads(pair.current.value.reveal())["username"])
    assert seen == [*pair.logins, *pair.logins]


async def test_two_logins_can_change_themselves_though_they_act_as_their_group(pair) -> None:
    await pair.rotate()
    await pair.rotate()
    pair.admin = None
    await pair.rotate()
    await pair.rotate()
    found = json.loads(pair.current.value.reveal())
    assert pair.server.accepts(found["username"], found["password"])


async def test_a_login_in_use_is_seen(pair) -> None:
    await pair.rotate()
    await pair.rotate()
    before = json.loads(pair.previous.value.reveal())
    connection = pair.server.connect(before["username"], before["password"])
    assert await pair.rotator.idle(pair.job) is False
    connection.close()
    for _ in range(100):
        if await pair.rotator.idle(pair.job):
            break
        await asyncio.sleep(0.02)
    assert await pair.rotator.idle(pair.job) is True


@pytest.mark.parametrize(
    "difference",
    [
        "ALTER ROLE {} CONNECTION LIMIT 5",
        "ALTER ROLE {} CREATEDB",
        "ALTER ROLE {} SET work_mem = '8MB'",
        "ALTER ROLE {} IN DATABASE postgres SET work_mem = '8MB'",
        "ALTER ROLE {} RESET role",
        "GRANT pg_monitor TO {}",
        "GRANT pg_monitor TO {} WITH ADMIN OPTION",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {} GRANT SELECT ON TABLES TO pg_monitor",
        "DROP ROLE {}",
    ],
)
async def test_logins_that_are_not_alike_do_not_take_turns(pair, difference) -> None:
    """Seen before the change, and once more before the other one is served: it may have come in between."""
    await pair.rotate()
    await pair.prepare()
    assert await pair.apply() is Outcome.APPLIED
    await pair.rotator.verify(pair.job)
    pair.server.sql(difference.format(pair.logins[0]))
    with pytest.raises(RotationFailed, match="logins-differ"):
        await pair.rotator.verify(pair.job)
    with pytest.raises(RotationFailed, match="logins-differ"):
        await pair.prepare()


async def test_logins_that_are_alike_in_every_way_do(pair) -> None:
    for login in pair.logins:
        pair.server.sql(
            f"GRANT pg_monitor TO {login} WITH ADMIN OPTION", f"ALTER ROLE {login} SET work_mem = '8MB'",
            f"ALTER DEFAULT PRIVILEGES FOR ROLE {login} GRANT SELECT ON TABLES TO pg_monitor, {login}",
        )  # fmt: skip
    await pair.rotate()
    await pair.rotate()


@pytest.mark.parametrize("by_admin", [True, False])
async def test_restoring_makes_the_password_before_good_again(case, by_admin) -> None:
    await case.rotate()
    before = case.stored()
    case.admin = case.admin if by_admin else None
    await case.prepare()
    assert await case.apply() is Outcome.APPLIED
    assert await case.rotator.restore(case.job) is Outcome.APPLIED
    assert case.stored() == before, "by its own verifier, so that nobody who keeps it is disturbed"
    found = await case.rotator.probe(case.job, [case.current, case.candidate])
    assert found == {case.current.version_id: Acceptance.ACCEPTED, case.candidate.version_id: Acceptance.REFUSED}


async def test_restoring_one_of_two_leaves_the_other_alone(pair) -> None:
    for _ in range(3):
        await pair.rotate()
    others = pair.stored(pair.logins[0])
    before = pair.stored(pair.logins[1])
    await pair.prepare()
    assert await pair.apply() is Outcome.APPLIED
    assert pair.stored(pair.logins[1]) != before
    assert await pair.rotator.restore(pair.job) is Outcome.APPLIED
    assert (pair.stored(pair.logins[0]), pair.stored(pair.logins[1])) == (others, before)


async def test_the_server_never_learns_a_password(case) -> None:
    case.server.sql("SELECT pg_stat_statements_reset()")
    await case.rotate()
    case.server.sql(f"ALTER ROLE {case.logins[0]} CONNECTION LIMIT -1")
    await case.prepare()
    case.function = "public.is_not_there"
    with pytest.raises(RotationFailed):
        await case.apply()
    seen = case.server.log + str(case.server.sql("SELECT query FROM pg_stat_statements"))
    assert "SCRAM-SHA-256$" in seen, "verifiers are seen, so that this looks at the right place"
    for version in (case.current, case.candidate):
        assert json.loads(version.value.reveal())["password"] not in seen
