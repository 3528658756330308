"""The set-ups of least privilege, by the statements of the guide themselves, and what each of them cannot do."""

import json
import re
from pathlib import Path

import psycopg
import pytest

from secretsd.domain.sensitive import Plaintext
from secretsd.ports.rotator import RotationFailed, StagedSecret
from secretsd_rotators.postgresql.verifiers import verifier

from .conftest import STARTED_WITH, VERSIONS, Case

pytestmark = pytest.mark.integration
GUIDE = (Path(__file__).parents[3] / "docs/guides/rotate-postgresql.md").read_text()
OTHERS_PASSWORD = "password-of-another"
ADMINS_PASSWORD = "password-of-the-administrator"


def statements(heading: str) -> list[str]:
    """The blocks of SQL under a heading, in order."""
    section = GUIDE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^  ```sql\n(.*?)^  ```$", section, re.MULTILINE | re.DOTALL)
    assert found, f"the guide has nothing under {heading}"
    return found


def set_password(server, login: str, password: str) -> None:
    """As psql's \\password does."""
    server.sql(f"ALTER ROLE {login} PASSWORD '{verifier(Plaintext.from_text(password), 4096)}'")


@pytest.fixture
def clean(server):
    """A server with none of the guide's roles, before and after."""

    def clear() -> None:
        server.sql("DROP SCHEMA IF EXISTS secretsd CASCADE")
        server.sql("DROP ROLE IF EXISTS app, app_a, app_b, app_owner, rotator, another, boss")

    clear()
    server.sql(f"CREATE ROLE another LOGIN PASSWORD '{OTHERS_PASSWORD}'")
    server.sql(f"CREATE ROLE boss SUPERUSER LOGIN PASSWORD '{OTHERS_PASSWORD}'")
    yield server
    clear()


def run(server, heading: str, *which: int) -> None:
    blocks = statements(heading)
    for number in which or range(len(blocks)):
        server.sql(blocks[number])


@pytest.fixture
def app(clean) -> Case:
    """One login as in the guide; who changes it is for the test to say."""
    run(clean, "One login")
    set_password(clean, "app", STARTED_WITH)
    return Case(clean, ("app",), None, current=StagedSecret("v1", Plaintext.from_text(STARTED_WITH), 1))


@pytest.fixture
def turns(clean) -> Case:
    """Two logins as in the guide, each of which has a password."""
    run(clean, "Two logins that take turns")
    case = Case(clean, ("app_a", "app_b"), None)
    versions = []
    for number, login in enumerate(case.logins, 1):
        set_password(clean, login, STARTED_WITH)
        value = json.dumps({"username": login, "password": STARTED_WITH}).encode()
        versions.append(StagedSecret(f"v{number}", Plaintext(value), number))
    case.previous, case.current = versions
    case.number = 2
    return case


async def rotates(case: Case, times: int = 3) -> None:
    for _ in range(times):
        await case.rotate()
        found = json.loads(case.current.value.reveal()) if case.current else {}
        assert case.server.accepts(found["username"], found["password"])


async def cannot_touch(case: Case, login: str) -> None:
    """Neither by the rotator, told early, nor with the administrator's credential in anybody's hands."""
    other = Case(case.server, (login,), case.admin, function=case.function)
    before = case.stored(login)
    if case.function is not None:
        await other.prepare()
    step = other.prepare if case.function is None else other.apply
    with pytest.raises(RotationFailed, match="insufficient-privilege"):
        await step()
    assert case.stored(login) == before
    assert case.admin is not None
    with case.server.connect(*case.admin) as thief:
        made = verifier(Plaintext.from_text("stolen"), 4096)
        for statement in (
            f"ALTER ROLE {login} PASSWORD '{made}'",
            f"GRANT {login} TO rotator",
            f"SET ROLE {login}",
            "ALTER ROLE rotator SUPERUSER",
        ):
            with pytest.raises(psycopg.Error):
                thief.execute(statement)
    assert case.stored(login) == before


async def test_each_login_changes_itself(app) -> None:
    await rotates(app)


async def test_two_logins_change_themselves(turns) -> None:
    await rotates(turns, 4)


async def test_a_function_changes_it(app) -> None:
    run(app.server, "A function changes it")
    set_password(app.server, "rotator", ADMINS_PASSWORD)
    app.admin, app.function = ("rotator", ADMINS_PASSWORD), "secretsd.change_password"
    await rotates(app)
    for login in ("another", "boss", "postgres"):
        await cannot_touch(app, login)
    with pytest.raises(psycopg.Error), app.server.connect("rotator", ADMINS_PASSWORD) as thief:
        thief.execute("ALTER ROLE app PASSWORD 'stolen'")
    with pytest.raises(psycopg.Error), app.server.connect("another", OTHERS_PASSWORD) as stranger:
        stranger.execute("SELECT secretsd.change_password('app', 'SCRAM-SHA-256$4096:x$y:z')")
    with pytest.raises(psycopg.Error), app.server.connect("rotator", ADMINS_PASSWORD) as thief:
        thief.execute("INSERT INTO secretsd.logins VALUES ('boss')")


async def test_a_function_changes_two(turns) -> None:
    run(turns.server, "A function changes it", 0)
    turns.server.sql("INSERT INTO secretsd.logins VALUES ('app_a'), ('app_b')")
    set_password(turns.server, "rotator", ADMINS_PASSWORD)
    turns.admin, turns.function = ("rotator", ADMINS_PASSWORD), "secretsd.change_password"
    await rotates(turns)


@pytest.mark.parametrize(
    "text",
    [
        "a password in clear",
        "md5" + "0" * 32,
        "SCRAM-SHA-256$0:" + "A" * 22 + "==$" + "A" * 43 + "=:" + "A" * 43 + "=",
        "SCRAM-SHA-256$4096:" + "A" * 22 + "==$" + "A" * 43 + "=:" + "A" * 43 + "=\n",
        "x' SUPERUSER --",
        "",
    ],
)
def test_the_function_takes_verifiers_only(app, text) -> None:
    run(app.server, "A function changes it")
    before = app.stored()
    with app.server.connect() as connection, pytest.raises(psycopg.Error) as refused:
        connection.execute("SELECT secretsd.change_password('app', %s)", [text])
    assert refused.value.sqlstate == "22023"
    assert app.stored() == before


def test_the_function_changes_no_superuser_even_on_its_list(app) -> None:
    run(app.server, "A function changes it")
    app.server.sql("INSERT INTO secretsd.logins VALUES ('boss')")
    with app.server.connect() as connection, pytest.raises(psycopg.Error) as refused:
        connection.execute(
            "SELECT secretsd.change_password('boss', %s)", [verifier(Plaintext.from_text("stolen"), 4096)]
        )
    assert refused.value.sqlstate == "42501"


async def test_an_administrator_changes_it(app) -> None:
    if app.server.major >= 16:
        run(app.server, "An administrator changes it", 0)
    else:
        run(app.server, "An administrator changes it", 1)
    set_password(app.server, "rotator", ADMINS_PASSWORD)
    app.admin = ("rotator", ADMINS_PASSWORD)
    await rotates(app)
    ((comment,),) = app.server.sql("SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = 'app'")
    assert comment.startswith(f"secretsd:{app.secret_id}:v")
    await cannot_touch(app, "boss")
    if app.server.major >= 16:
        await cannot_touch(app, "another")
        with pytest.raises(psycopg.Error), app.server.connect("rotator", ADMINS_PASSWORD) as thief:
            thief.execute("SET ROLE app")


async def test_an_administrator_without_admin_option_is_told_before_anything_is_changed(app) -> None:
    app.server.sql("CREATE ROLE rotator LOGIN CREATEROLE")
    set_password(app.server, "rotator", ADMINS_PASSWORD)
    app.admin = ("rotator", ADMINS_PASSWORD)
    if app.server.major < 16:
        await rotates(app, 1)
        return
    await cannot_touch(app, "app")


async def test_an_administrator_without_createrole_is_told_before_anything_is_changed(app) -> None:
    app.server.sql("CREATE ROLE rotator LOGIN", "GRANT app TO rotator WITH ADMIN OPTION")
    set_password(app.server, "rotator", ADMINS_PASSWORD)
    app.admin = ("rotator", ADMINS_PASSWORD)
    with pytest.raises(RotationFailed, match="insufficient-privilege"):
        await app.prepare()


def test_both_servers_are_here() -> None:
    assert {"15", "18"} <= set(VERSIONS), "./dev setup unpacks the one and installs the other"
