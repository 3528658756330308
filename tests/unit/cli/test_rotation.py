"""Rotations from the command line: set up as options say, shown as the daemon tells, six where a person is needed."""

import json

import pytest
import typer

from secretsd.cli.ctl.times import window

ROTATION = {"rotator": "random", "enabled": True, "state": "idle", "reason": "", "attempts": 0}
SECRET = {
    "name": "a",
    "resource": "r",
    "id": "i",
    "description": "",
    "key_id": "k",
    "created_ms": 0,
    "changed_ms": 0,
    "version_count": 1,
    "stages": {},
    "tags": {},
}
STUCK = {
    "name": "a",
    "rotation": {**ROTATION, "state": "quarantined", "reason": "role-missing", "attempts": 5, "target": "db-1"},
    "since_ms": 1767225600000,
    "run": 3,
    "candidate": "v2",
    "meaning": "the login is not there",
    "next_action": "put it right in the database; then secretsctl rotation resume a",
}
STEP = {"number": 7, "run": 3, "time_ms": 1767225600000, "state": "applying", "version_id": "v2", "attempts": 1}
EXPLAINED = {
    "status": STUCK,
    "cause": "it is stopped until a person has looked; role-missing: the login is not there",
    "served": {"how": "unproved", "meaning": "the value that was proved last", "version_id": "v1", "number": 1},
    "versions": [
        {"stage": "current", "version_id": "v1", "number": 1, "acceptance": "accepted"},
        {
            "stage": "candidate", "version_id": "v2", "number": 2, "acceptance": "unknown", "reason": "timed-out",
            "meaning": "the rotator did not end in time and was stopped",
        },
    ],
    "steps": [STEP],
    "next_command": "secretsctl rotation resume a",
}  # fmt: skip


def test_a_rotation_is_set_up_from_options_and_a_settings_file(ctl, wire, tmp_path) -> None:
    wire.answer("RotateSecret", {"name": "a", "rotation": ROTATION})
    (tmp_path / "s.json").write_text('{"length": 20}')
    options = (
        *("--rotator", "postgresql", "--settings", f"@{tmp_path}/s.json", "--target", "db-1"),
        *("--login", "app_a", "--login", "app_b", "--grace", "10m"),
        *("--every", "12h", "--jitter", "5m", "--time-zone", "Europe/Berlin"),
        *("--window", "sat,sun 02:00-05:00", "--window", "mon-fri 23:30-01:00", "--later"),
    )
    assert ctl("rotate", "a", *options).code == 0
    assert wire.body("RotateSecret") == {
        "rotator": "postgresql",
        "settings": {"length": 20},
        "target": "db-1",
        "logins": ["app_a", "app_b"],
        "grace_seconds": 600,
        "schedule": {
            "every_seconds": 43200,
            "cron": None,
            "time_zone": "Europe/Berlin",
            "jitter_seconds": 300,
            "windows": [
                {"days": ["sat", "sun"], "start": "02:00", "minutes": 180},
                {"days": ["mon", "tue", "wed", "thu", "fri"], "start": "23:30", "minutes": 90},
            ],
        },
        "rotate_immediately": False,
    }


def test_without_options_nothing_of_the_rotation_is_changed(ctl, wire) -> None:
    wire.answer("RotateSecret", {"name": "a", "rotation": ROTATION})
    assert ctl("rotate", "a").code == 0
    assert wire.sent[-1].body in (b"", b"{}")


def test_a_rhythm_is_taken_away_by_saying_so(ctl, wire) -> None:
    wire.answer("RotateSecret", {"name": "a", "rotation": ROTATION})
    assert ctl("rotate", "a", "--by-hand", "--later").code == 0
    sent = wire.body("RotateSecret")["schedule"]
    assert (sent["every_seconds"], sent["cron"]) == (None, None)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--window", "sat 02:00-05:00"), "--every or --cron"),
        (("--jitter", "5m"), "--every or --cron"),
        (("--by-hand", "--every", "1d"), "--by-hand"),
    ],
)
def test_options_that_would_say_nothing_or_two_things_are_refused(ctl, wire, options, said) -> None:
    """A schedule takes the place of the one before, so windows alone would end its rhythm unnoticed."""
    done = ctl("rotate", "a", *options)
    assert done.code == 1
    assert said in done.err
    assert not wire.sent


@pytest.mark.parametrize(
    ("text", "days", "start", "minutes"),
    [
        ("sat 02:00-05:00", "sat", "02:00", 180),
        ("Sun,SAT 22:30-04:00", "sat sun", "22:30", 330),
        ("fri-mon 00:00-00:15", "mon fri sat sun", "00:00", 15),
        ("daily 03:00-03:00", "mon tue wed thu fri sat sun", "03:00", 1440),
        ("mon,mon-tue 01:00-02:00", "mon tue", "01:00", 60),
    ],
)
def test_a_window_is_days_and_two_times(text: str, days: str, start: str, minutes: int) -> None:
    assert window(text) == (tuple(days.split()), start, minutes)


@pytest.mark.parametrize(
    "text", ["", "sat", "02:00-05:00", "sat 2:00-5:00", "sat 02:00-24:00", "day 02:00-05:00", "sat 02:00-02:14",
             "sat, 02:00-05:00", "sat-day 02:00-05:00", "sat  02:00-05:00"],
)  # fmt: skip
def test_any_other_window_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        window(text)


def test_rotate_waits_until_the_value_has_changed(ctl, wire, monkeypatch) -> None:
    monkeypatch.setattr("secretsd.cli.ctl.rotation.LOOK_EVERY_SECONDS", 0)
    wire.answer("RotateSecret", {"name": "a", "rotation": ROTATION})
    for state, last in (("idle", 5), ("idle", 5), ("verifying", 5), ("idle", 1767225600000)):
        wire.answer("DescribeSecret", {**SECRET, "rotation": {**ROTATION, "state": state, "last_rotated_ms": last}})
    done = ctl("rotate", "a", "--wait", "60s")
    assert done.code == 0
    assert "2026-01-01T00:00:00Z" in done.text
    assert [one.operation for one in wire.sent].count("DescribeSecret") == 4


def test_a_rotation_in_quarantine_is_six_and_says_how_to_go_on(ctl, wire) -> None:
    wire.answer("DescribeRotation", STUCK)
    done = ctl("rotation", "status", "a")
    assert done.code == 6
    lines = dict(line.split(maxsplit=1) for line in done.text.splitlines())
    assert (lines["state"], lines["since"], lines["meaning"]) == (
        "quarantined",
        "2026-01-01T00:00:00Z",
        "the login is not there",
    )
    assert "next: put it right in the database; then secretsctl rotation resume a\n" in done.err
    assert ctl("rotation", "status", "a", "-o", "raw").text == "quarantined\n"
    assert json.loads(ctl("rotation", "status", "a", "-o", "json").out)["rotation"]["attempts"] == 5


def test_windows_are_shown_in_words(ctl, wire) -> None:
    rotation = {**ROTATION, "windows": [{"days": ["sat", "sun"], "start": "02:00", "minutes": 180}]}
    wire.answer("DescribeRotation", {"name": "a", "rotation": rotation})
    assert "days=sat sun start=02:00 minutes=180\n" in ctl("rotation", "status", "a").text


def test_the_clock_is_stopped_started_and_a_rotation_led_back(ctl, wire) -> None:
    for operation in ("PauseRotation", "ResumeRotation", "CancelRotateSecret"):
        wire.answer(operation, {"name": "a", "rotation": {**ROTATION, "enabled": operation == "ResumeRotation"}})
    for command, enabled in (("pause", False), ("resume", True), ("cancel", False)):
        done = ctl("rotation", command, "a", "-o", "json")
        assert (done.code, json.loads(done.out)["enabled"]) == (0, enabled)
    assert [one.target for one in wire.sent] == [
        "/v1/secrets/a:pause-rotation",
        "/v1/secrets/a:resume-rotation",
        "/v1/secrets/a:cancel-rotation",
    ]


def test_an_explanation_is_one_screen(ctl, wire) -> None:
    wire.answer("ExplainRotation", EXPLAINED)
    done = ctl("rotation", "explain", "a")
    assert done.code == 6
    assert done.text == (
        "secret           a\n"
        "rotation         quarantined since 2026-01-01T00:00:00Z\n"
        "cause            it is stopped until a person has looked; role-missing: the login is not there\n"
        "callers get      unproved: the value that was proved last (number 1)\n"
        "db-1, current    accepted (number 1)\n"
        "db-1, candidate  unknown (number 2): timed-out, the rotator did not end in time and was stopped\n"
        "what to do       put it right in the database; then secretsctl rotation resume a\n"
        "next command     secretsctl rotation resume a\n"
        "\n"
        "last steps\n"
        "time                  run  state     reason  attempts  version  result\n"
        "2026-01-01T00:00:00Z  3    applying          1         v2\n"
    )
    assert wire.sent[-1].target == "/v1/secrets/a:explain-rotation"


def test_an_explanation_without_asking_the_target(ctl, wire) -> None:
    fine = {"name": "a", "rotation": ROTATION}
    served = {"how": "as-usual", "meaning": "the current version", "number": 4}
    wire.answer(
        "ExplainRotation",
        {"status": fine, "cause": "nothing is under way", "served": served, "not_asked": "nobody wanted to know"},
    )
    done = ctl("rotation", "explain", "a", "--no-probe")
    assert done.code == 0
    assert wire.sent[-1].target == "/v1/secrets/a:explain-rotation?probe_target=false"
    assert "target       not asked: nobody wanted to know\n" in done.text
    assert "callers get  as usual: the current version (number 4)\n" in done.text
    assert "what to do   nothing\n" in done.text
    assert "last steps" not in done.text
    assert ctl("rotation", "explain", "a", "-o", "raw").text == "nothing is under way\n"


def test_a_history_goes_back_as_far_as_it_is_asked_to(ctl, wire) -> None:
    wire.answer("ListRotationSteps", {"name": "a", "steps": [STEP] * 100, "next_token": "n"})
    wire.answer("ListRotationSteps", {"name": "a", "steps": [{**STEP, "result": "rolled-back", "reason": "cancelled"}]})
    assert len(json.loads(ctl("rotation", "history", "a", "--limit", "150", "-o", "json").out)) == 101
    last = ctl("rotation", "history", "a").text.splitlines()[-1]
    assert last.split() == ["2026-01-01T00:00:00Z", "3", "applying", "cancelled", "1", "v2", "rolled-back"]
    assert ctl("rotation", "history", "a", "--limit", "1", "-o", "raw").text == "7 applying cancelled\n"


def test_rotations_are_listed_by_name_over_all_pages(ctl, wire) -> None:
    wire.answer("ListRotations", {"rotations": [{**STUCK, "name": "b"}], "next_token": "n"})
    wire.answer("ListRotations", {"rotations": [{"name": "a", "rotation": {**ROTATION, "enabled": False}}]})
    done = ctl("rotation", "list", "prod/", "--state", "quarantined", "-o", "raw")
    assert (done.code, done.text) == (0, "a\nb\n")
    assert wire.sent[0].target == "/v1/rotations?prefix=prod%2F&state=quarantined"
    assert "paused" in ctl("rotation", "list").text


def test_the_check_is_six_while_any_rotation_is_in_quarantine(ctl, wire) -> None:
    wire.answer("ListRotations", {"rotations": [STUCK, {**STUCK, "name": "b"}]})
    done = ctl("check")
    assert done.code == 6
    assert wire.sent[0].target == "/v1/rotations?quarantined=true"
    rows = done.text.splitlines()[1:]
    assert [row.split()[:3] for row in rows] == [[name, "2026-01-01T00:00:00Z", "role-missing"] for name in "ab"]
    assert all(row.endswith("then secretsctl rotation resume a") for row in rows)
    assert "2 rotations are in quarantine" in done.err
    assert ctl("check", "-o", "raw").text == "a\nb\n"


def test_the_check_is_silent_success_where_none_is(ctl, wire) -> None:
    wire.answer("ListRotations", {"rotations": []})
    done = ctl("check", "prod/")
    assert (done.code, done.text, done.err) == (0, "no rotation is in quarantine\n", "")
    assert json.loads(ctl("check", "-o", "json").out) == []


def test_a_secret_without_a_rotation_has_none_to_show(ctl, wire) -> None:
    wire.refuse("DescribeRotation", 404, "not-found")
    assert ctl("rotation", "status", "a").code == 3
