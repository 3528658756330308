"""The rotation kill hunt in short: whatever fails at whatever statement, the served credential works soon after."""

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from secretsd.testing.kill_hunt.journal import Entry, Request
from secretsd.testing.rotation_hunt.application import Application
from secretsd.testing.rotation_hunt.hunt import hunt
from secretsd.testing.rotation_hunt.ledger import Ledger
from secretsd.testing.rotation_hunt.plan import ALTERNATING, FULL_TURNS, NO_STATEMENTS, SINGLE, STATES, Blow, draw
from secretsd.testing.rotation_hunt.points import POINTS, Course
from secretsd.testing.rotation_hunt.report import point_counts, state_counts
from secretsd.testing.rotation_hunt.scram import verifies
from secretsd.testing.rotation_hunt.site import Place, Site

# The bar is 5 s and is measured by `./dev bench rotation-hunt`; a busy machine must not fail this test.
BAR_SECONDS = 20.0
SECONDS = 30.0


@pytest.mark.acceptance
@pytest.mark.long
@pytest.mark.needs_root
@pytest.mark.timeout(400)
def test_the_served_credential_works_whatever_fails(passable_path: Path) -> None:
    seed = random.randrange(10**9)
    plan = draw(1, seed, quick=True)
    noticed: list[str] = []

    def afterwards(site: Site) -> None:
        noticed.extend(_what_is_noticed(site))

    report = hunt(passable_path / "state", plan, seed=seed, bar_seconds=BAR_SECONDS, tell=print, afterwards=afterwards)
    print(report)  # shown when the test fails, with the seed
    assert not report.findings
    assert not report.missed
    assert {hit.strike.blow for hit in report.hits} == set(Blow)
    assert all(logins > 100 for logins, _, _, _ in report.applications.values())
    states = {(machine, state) for machine, state, _ in state_counts(report.hits)}
    assert {(machine, state) for machine, known in STATES.items() for state in known} <= states
    points = {(method, message) for method, message, _ in point_counts(report.hits)}
    statements = {(method, one) for method, all in POINTS.items() for one in all if one not in NO_STATEMENTS}
    assert statements <= points
    for sentence in (
        "the verifier of app is that of no version of the secret",
        "was applied to report_a with two verifiers",
        "was sent with 2 verifiers",
        "a login was refused with",
        "was answered and has no event",
    ):
        assert any(sentence in one for one in noticed), sentence


def _what_is_noticed(site: Site) -> list[str]:
    """Break each rule once, at the server that still runs, and hear what the hunt says of it."""
    single, alternating = site.places[SINGLE], site.places[ALTERNATING]
    _salt_again(site, alternating)
    site.server.sql("ALTER ROLE app PASSWORD 'a password of nobody'")
    told = [*alternating.verifiers.check(), *alternating.verifiers.check_log(), *single.verifiers.check()]
    ledger = Ledger()
    application = Application(single.fetcher, ledger, single.secret, site.server.port, takes_turns=False)
    application.start()
    deadline = time.monotonic() + SECONDS
    while not ledger.findings and time.monotonic() < deadline:
        time.sleep(0.05)
    application.end()
    now = time.time_ns() // 1_000_000
    site.ledger.add(Entry(Request("GetSecretValue", "GET", "/", "nowhere"), now, now, "ok", "made-up"))
    before = len(site.ledger.findings)
    site.events.look()
    return [*told, *ledger.findings, *site.ledger.findings[before:]]


def _salt_again(site: Site, place: Place) -> None:
    """Apply the version that report_a is on once more, as a rotator would that makes a new verifier each time."""
    ((stored,),) = site.server.sql("SELECT rolpassword FROM pg_authid WHERE rolname = 'report_a'")
    version = next(one for one in place.verifiers.versions.values() if one.verifier == stored)
    ((secret,),) = site.server.sql("SELECT substring(shobj_description(oid, 'pg_authid') from 'secretsd:([0-9a-f-]+)')"
                                   " FROM pg_authid WHERE rolname = 'report_a'")  # fmt: skip
    with site.server.connect() as connection:
        verifier = connection.pgconn.encrypt_password(version.password.encode(), b"report_a", b"scram-sha-256").decode()
    site.server.sql(
        f"ALTER ROLE report_a PASSWORD '{verifier}'; COMMENT ON ROLE report_a IS"
        f" 'secretsd:{secret}:v{version.number}:epoch1'"
    )


def test_a_full_plan_has_every_blow_at_every_point() -> None:
    plan = draw(FULL_TURNS, 7)
    met = Counter((one.method, one.message, one.blow) for one in plan if one.method)
    wanted = {(method, message, blow) for method, all in POINTS.items() for message in all for blow in Blow}
    assert set(met) == wanted
    assert {one.machine for one in plan} == {SINGLE, ALTERNATING, ""}
    assert draw(FULL_TURNS, 7) == plan
    assert draw(FULL_TURNS, 8) != plan


def test_messages_are_told_by_the_session_and_the_stored_state() -> None:
    course = Course()
    changing, probing = "secretsd:12345678:7", "secretsd-probe"

    def told(text: str, name: str, by_admin: bool, state: str) -> tuple[str, str]:
        return course.follow(text, name, by_admin, state).point

    assert told("startup", probing, True, "check-idle") == ("idle", "startup")
    assert told("startup", changing, True, "check-idle") == ("prepare", "startup")
    assert told("sasl", changing, True, "check-idle") == ("prepare", "sasl-1")
    assert told("sasl", changing, True, "check-idle") == ("prepare", "sasl-2")
    assert told("startup", changing, True, "rolling-back") == ("settle", "startup")
    assert told("terminate", changing, True, "rolling-back") == ("settle", "terminate")
    assert told("startup", changing, True, "rolling-back") == ("restore", "startup")
    assert told("startup", probing, False, "rolling-back") == ("probe", "startup")
    assert told("startup", probing, False, "verifying") == ("verify", "startup")
    assert not course.strangers
    assert told("DROP ROLE app", probing, False, "verifying") == ("verify", "unknown")
    assert course.strangers == {"DROP ROLE app"}


def test_verifiers_are_those_of_the_rfc() -> None:
    """RFC 7677's own example: its salt and iterations, with the keys that follow from its password."""
    stored = (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ=="
        "$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )
    assert verifies(stored, "pencil")
    assert not verifies(stored, "pencils")
    assert not verifies("md5" + "0" * 32, "pencil")
