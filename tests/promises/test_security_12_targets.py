"""SECURITY 12: targets are the operator's. An account names no host, borrows no target and no login, and gets no admin.

Against a real daemon and a real PostgreSQL server, which the administrator's password opens. The rows of targets are
then edited as a writer of storage would, and forged as a compromised worker could.
"""

import json
import re
import secrets

import pytest

from secretsd.domain.targets import Target
from secretsd.testing.daemon import WATCHERS, secret_path
from secretsd.testing.intruder import next_revision
from secretsd.testing.policies import document
from secretsd.testing.postgres import postgres
from tests.acceptance.wire import wait_for
from tests.promises.attacks import LOUD

pytestmark = [pytest.mark.integration, pytest.mark.needs_root]
SETTINGS = {"rotation": {"rotators": ["random", "postgresql"], "min_interval_seconds": 1, "min_grace_seconds": 0}}
PASSWORD = f"admin-canary-{secrets.token_urlsafe(24)}"
EVERYTHING = {"effect": "Allow", "action": ["*"], "resource": ["*"]}
SYSTEM = {"effect": "Allow", "action": ["*"], "resource": ["secretsd:system:*"]}
USE = {"effect": "Allow", "action": ["UseTarget"], "resource": ["secretsd:system:target/main"]}
BOSS = "secretsd_" + "0" * 43
LOGINS = ("app", "report", "shared", "rotator")


@pytest.fixture(scope="module")
def server():
    with postgres() as running:
        running.sql(
            f"CREATE ROLE rotator LOGIN SUPERUSER PASSWORD '{PASSWORD}'",
            *(f"CREATE ROLE {login} LOGIN PASSWORD 'password of {login}'" for login in LOGINS if login != "rotator"),
        )
        yield running


@pytest.fixture(scope="module")
def people(target, server):
    """The target `main`, and who wants something of it. The other account may rotate `shared` and `their_*` there."""
    for watcher in WATCHERS:
        watcher.spoke(target.daemon.state_dir, {"text": PASSWORD}, 200, {})  # from now on it is looked for everywhere
    other = target.second_account()
    describe(target, server, logins={target.account: ["app", "report", "rot*"], other: ["shared", "their_*"]})
    found = {
        "reader": target.user("reader", EVERYTHING),
        "user": target.user("user", EVERYTHING, USE),
        "operator": target.user("operator", SYSTEM),
        "other": BOSS,
    }
    made = target.daemon.call("POST", "/v1/policies", {"policy": "use", "document": document(USE)}, token=BOSS)
    assert made.status == 200, made
    target.ok("POST", "/v1/users/boss:attach-policy", {"policy": "use"}, token=BOSS)
    for login in ("app", "report"):
        target.create(f"db/{login}", f"password of {login}")
    return found


def describe(target, server, name="main", **fields):
    address = {"host": "127.0.0.1", "port": server.port, "tls": "off"}
    whole = {"target": name, "rotator": "postgresql", "address": address, "admin_login": "rotator", **fields}
    return target.ok("POST", "/v1/targets", {**whole, "admin_password": PASSWORD})


def rotate(target, secret, token=None, /, **fields):
    """Take the value over as it is: the target is asked at once, and the answer tells what became of it."""
    whole = {"rotator": "postgresql", "target": "main", "rotate_immediately": False, **fields}
    return target.daemon.call("POST", secret_path(secret, "rotate"), whole, token=token)


def rotated(target, secret):
    """The rotation once it has ended in some way."""
    found = target.ok("GET", secret_path(secret))["rotation"]
    return found if found["state"] in ("idle", "quarantined") and found.get("last_result", "none") != "none" else None


@pytest.mark.parametrize("word", ["host", "address", "admin_login", "admin_password", "dbname"])
@pytest.mark.parametrize("place", ["request", "settings"])
def test_a_rotation_has_no_place_for_a_host_or_a_credential(target, people, word, place):
    own = {word: "evil.example.net"}
    answer = rotate(target, "db/app", logins=["app"], **(own if place == "request" else {"settings": own}))
    assert (answer.status, answer.kind) == (400, "invalid-request")
    assert "evil" not in answer.body["detail"]


def test_everything_in_an_account_is_no_target(target, people, server):
    """Not one operation, and what is there looks as what is not there."""
    address = {"host": "127.0.0.1", "port": server.port, "tls": "off"}
    for token in (people["reader"], people["other"]):
        answers = []
        for name in ("main", "none"):
            for method, path, body in (
                ("GET", f"/v1/targets/{name}", None),
                ("PATCH", f"/v1/targets/{name}", {"address": address}),
                ("DELETE", f"/v1/targets/{name}", None),
                ("POST", "/v1/targets", {"target": name, "rotator": "postgresql", "address": address}),
                ("GET", "/v1/targets", None),
            ):
                answers.append(target.daemon.call(method, path, body, token=token))
        require_alike(answers)
    require_alike(
        [rotate(target, "db/app", people["reader"], target=name, logins=["app"]) for name in ("main", "none")]
    )


def require_alike(answers):
    """All of them refused in the same words, but for the permission that they took."""
    assert {(answer.status, answer.kind) for answer in answers} == {(403, "access-denied")}
    assert len({re.sub(r"^cannot do that: \w+ is", "", answer.body["detail"]) for answer in answers}) == 1


@pytest.mark.parametrize("login", ["shared", "their_app", "postgres", "*"])
def test_a_login_that_the_target_does_not_give_the_account_is_refused(target, people, login):
    answer = rotate(target, "db/app", people["user"], logins=[login])
    assert (answer.status, answer.kind) == (403, "access-denied")
    assert target.files.read("SELECT * FROM target_logins WHERE login = ?", login) == []


def test_nobody_rotates_the_administrator_though_a_pattern_matches_it(target, people):
    for token in (None, people["user"]):
        assert rotate(target, "db/app", token, logins=["rotator"]).kind == "access-denied"


def test_a_login_that_another_account_holds_is_refused_and_nothing_is_told_of_it(target, people):
    both = {target.account: ["app", "report", "rot*", "shared"], "200000000002": ["shared", "their_*"]}
    target.ok("PATCH", "/v1/targets/main", {"logins": both}, token=people["operator"])
    body = {"name": "very/theirs", "text": "password of shared"}
    target.ok("POST", "/v1/secrets", body, token=people["other"])
    taken = rotate(target, "very/theirs", people["other"], logins=["shared"])
    assert taken.status == 200, taken
    target.create("db/shared", "password of shared")
    answer = rotate(target, "db/shared", logins=["shared"])
    assert (answer.status, answer.kind) == (409, "conflict")
    assert not any(word in json.dumps(answer.body) for word in ("200000000002", "theirs", "boss"))


def test_the_administrators_password_changes_what_it_should_and_comes_back_to_nobody(target, people, server):
    assert rotate(target, "db/app", logins=["app"]).status == 200
    assert rotate(target, "db/app", rotate_immediately=True).status == 200
    done = wait_for("the rotation", lambda: rotated(target, "db/app"))
    assert (done["state"], done["last_result"]) == ("idle", "done")
    assert server.accepts("app", json.loads(target.get("db/app").body["text"])["password"])
    for token in (None, people["operator"]):
        for path in ("/v1/targets/main", "/v1/targets", "/v1/events?account=system&limit=1000"):
            answer = target.daemon.call("GET", path, token=token)
            assert answer.status == 200
            assert PASSWORD not in json.dumps(answer.body)
    assert "admin_password" not in target.ok("GET", "/v1/targets/main")


def test_an_operator_rotates_no_secret_and_reads_none(target, people):
    for answer in (
        target.get("db/app", people["operator"]),
        rotate(target, "db/app", people["operator"], logins=["app"]),
        target.daemon.call("GET", secret_path("db/app", "rotation"), token=people["operator"]),
    ):
        assert answer.status in (403, 404), answer


def test_whoever_moves_a_target_has_to_know_the_password(target, people, server):
    elsewhere = {"host": "evil.example.net", "tls": "verify-full"}
    for change in ({"address": elsewhere}, {"admin_login": "postgres"}):
        answer = target.daemon.call("PATCH", "/v1/targets/main", change, token=people["operator"])
        assert (answer.status, answer.kind) == (400, "invalid-request")
    assert target.ok("GET", "/v1/targets/main")["address"]["host"] == "127.0.0.1"


def test_the_key_that_seals_it_is_no_users(target, people):
    ((key,),) = target.files.read("SELECT default_key_id FROM accounts WHERE id = 'system'")
    assert key not in [one["id"] for one in target.ok("GET", "/v1/keys")["keys"]]
    assert target.daemon.call("GET", f"/v1/keys/{key}").kind == "not-found"
    answer = target.daemon.call("POST", "/v1/secrets", {"name": "under/it", "text": "x", "key_id": key})
    assert answer.kind == "not-found"


@pytest.mark.parametrize(
    ("table", "column", "login"),
    [
        ("targets", "logins", "postgres"),
        ("targets", "address", "report"),
        ("targets", "admin_login", "report"),
        ("targets", "admin", "report"),
        ("target_logins", "secret_id", "app"),
    ],
)
def test_a_row_that_was_edited_in_storage_is_believed_by_nobody(target, people, table, column, login):
    """A writer of storage allows himself a login, moves the target, or takes a login over."""
    values = {
        "logins": json.dumps({target.account: "*"}),
        "address": json.dumps({"host": "evil.example.net"}),
        "admin_login": "postgres",
        "admin": "",
        "secret_id": target.ok("GET", secret_path("db/report"))["id"],
    }
    key, where = (["system", "main"], "name = 'main'") if table == "targets" else (["main", "app"], "login = 'app'")
    ((before,),) = target.files.read(f"SELECT {column} FROM {table} WHERE {where}")
    change = f"UPDATE {table} SET {column} = ? WHERE {where}"
    target.logged()
    assert target.files.write((change, (values[column],)), told=[(table, key)])
    try:
        answers = [rotate(target, "db/report", people["user"], logins=[login])]
        if table == "targets":
            answers.append(target.daemon.call("GET", "/v1/targets/main"))
        assert {(answer.status, answer.kind) for answer in answers} == {(500, "internal")}
        assert target.logged().count(LOUD) >= len(answers)
    finally:
        assert target.files.write((change, (before,)), told=[(table, key)])
    assert target.ok("GET", "/v1/targets/main")["address"]["host"] == "127.0.0.1"


@pytest.mark.parametrize("what", ["admin", "address", "admin_login", "id"])
def test_a_credential_that_a_worker_moves_is_opened_for_nobody(target, people, server, what):
    """A compromised worker can make any row; the key store binds the credential to target, address and login."""
    if what == "admin":
        describe(target, server, "second", logins={target.account: ["report"]})
    main, second = (target.files.record(Target, "system", name) for name in ("main", "second"))
    moved = {
        "admin": second.admin,
        "address": main.address.replace("127.0.0.1", "127.0.0.2"),
        "admin_login": "postgres",
        "id": second.id,
    }
    forged = next_revision(main, **{what: moved[what]})
    target.files.put(target.authenticator(), forged)
    connections = server.log.count("connection received")
    answer = rotate(target, "db/report", logins=["report"])
    assert (answer.status, answer.kind) == (409, "conflict")
    assert answer.body["detail"].endswith("target-credential-unreadable")
    assert server.log.count("connection received") == connections, "nobody was told anything"
    target.files.put(target.authenticator(), next_revision(forged, **{what: getattr(main, what)}))
    assert target.ok("GET", "/v1/targets/main")["admin_login"] == "rotator"


def test_in_the_end_the_password_is_in_no_file_no_log_and_no_process(target, people, server):
    """What watches the daemon raises at its stop; the sealed credential itself still works until then."""
    assert rotate(target, "db/report", logins=["report"]).status == 200
    log = target.daemon.log.read_text()
    target.daemon.stop()
    assert PASSWORD not in log
    for path in target.daemon.state_dir.rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes(), path
    assert server.log.count(PASSWORD) == 1, "in the statement of this test that made the role"
