"""Canaries sing: a value that leaks anywhere, in whatever form, is found, and the finding fails the test."""

import base64
import json
import os
import secrets
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from secretsd.testing.canaries import KEPT_VALUES, Canaries, CanaryFound, forms
from secretsd.testing.daemon import Daemon

VALUE = b'k3pt-\xc3\xa4-t0-its"elf\\and\nn0body+else/'
ENCODINGS = {
    "plain": VALUE,
    "hex": VALUE.hex().encode(),
    "capital hex": VALUE.hex().upper().encode(),
    "base64": base64.b64encode(VALUE),
    "base64 inside": base64.b64encode(b"a" + VALUE),
    "base64 further inside": base64.b64encode(b"ab" + VALUE),
    "base64url": base64.urlsafe_b64encode(VALUE),
    "JSON": json.dumps({"text": VALUE.decode()}).encode(),
    "JSON with its own letters": json.dumps({"text": VALUE.decode()}, ensure_ascii=False).encode(),
    "JSON in JSON": json.dumps(json.dumps({"text": VALUE.decode()})).encode(),
    "UTF-16": VALUE.decode().encode("utf-16"),
    "UTF-16, big end first": VALUE.decode().encode("utf-16-be"),
    "repr": repr(VALUE.decode()).encode(),
    "bytes' repr": repr(VALUE).encode(),
    "a prefix of it": VALUE[:26],
}


@pytest.fixture
def watched(tmp_path):
    """Canaries of their own over something that looks like a daemon's directory."""
    state, log = tmp_path / "state", tmp_path / "state.log"
    (state / "storage").mkdir(parents=True)
    log.write_text("started\n")
    (state / "pin").write_text("0123456789-pin-of-this\n")
    (state / "admin.env").write_text("SECRETSD_TOKEN=secretsd_0123456789abcdefghijk\n")
    canaries = Canaries()
    canaries.started(state, log, "secretsd_0123456789abcdefghijk")
    canaries.spoke(state, {"name": "app", "text": VALUE.decode()}, 200, {"name": "app"})
    return canaries, state, log


def test_a_clean_directory_is_clean(watched):
    canaries, state, _ = watched
    canaries.ended(state)
    assert canaries.found == []
    assert canaries.searched_bytes > 0


@pytest.mark.parametrize("form", ENCODINGS)
@pytest.mark.parametrize("place", ["storage/main.db-wal", "core.123", "secretsd.yaml", "the log"])
def test_a_value_in_any_form_is_found_in_any_file(watched, form, place):
    canaries, state, log = watched
    path = log if place == "the log" else state / place
    with path.open("ab") as file:
        file.write(os.urandom(1000) + ENCODINGS[form] + os.urandom(1000))
    with pytest.raises(CanaryFound, match="cannot keep values") as found:
        canaries.ended(state)
    assert VALUE.decode() not in str(found.value)
    assert canaries.found


def test_token_and_pin_may_stand_in_their_own_file_alone(watched):
    canaries, state, _ = watched
    canaries.ended(state)
    for text, own, other in (
        ("secretsd_0123456789abcdefghijk", "admin.env", "pin"),
        ("0123456789-pin-of-this", "pin", "admin.env"),
    ):
        before = (state / other).read_text()
        (state / other).write_text(before + text)
        with pytest.raises(CanaryFound, match=other):
            canaries.ended(state)
        (state / other).write_text(before)
        assert text in (state / own).read_text()
    canaries.found.clear()
    canaries.ended(state)


def test_a_value_in_an_argument_or_environment_is_found(watched):
    canaries, state, _ = watched
    program = "import sys; sys.stdout.write('x'); sys.stdout.flush(); sys.stdin.read()"
    value = VALUE.hex()
    for arguments, environment in (([value], {}), ([], {"VALUE": value})):
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", program, *arguments],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        process.stdout.read(1)
        with pytest.raises(CanaryFound, match="of a process"):
            canaries.running(state, [process.pid])
        process.communicate()


def test_a_value_in_the_body_of_an_error_is_found(watched):
    canaries, state, _ = watched
    canaries.spoke(state, None, 404, {"detail": "cannot find it"})
    with pytest.raises(CanaryFound, match="body of an error"):
        canaries.spoke(state, None, 400, {"detail": f"cannot use {VALUE.decode()}"})


def test_a_value_that_a_test_prints_is_found(watched):
    canaries, _, _ = watched
    canaries.printed("captured log", "all is well")
    with pytest.raises(CanaryFound, match="captured log"):
        canaries.printed("captured log", f"got {VALUE!r}")


def test_values_that_are_served_are_canaries_too(watched):
    canaries, state, log = watched
    for answer in (
        {"text": "made by a rotator 1"},
        {"binary": base64.b64encode(b"made by a rotator 2").decode()},
        {"values": [{"name": "a", "text": "made by a rotator 3"}]},
        {"token": "secretsd_made-by-a-rotator-4"},
    ):
        canaries.spoke(state, None, 200, answer)
    for number in range(1, 5):
        log.write_text(f"made by a rotator {number}" if number < 4 else "secretsd_made-by-a-rotator-4")
        with pytest.raises(CanaryFound):
            canaries.ended(state)


def test_the_first_and_the_latest_values_are_kept_in_mind(watched):
    canaries, state, log = watched
    for number in range(3 * KEPT_VALUES):
        canaries.spoke(state, {"text": f"value-of-one-put-{number:04}"}, 200, {})
    for number in (0, 3 * KEPT_VALUES - 1):
        log.write_text(f"value-of-one-put-{number:04}")
        with pytest.raises(CanaryFound):
            canaries.ended(state)


def test_threads_may_speak_to_one_daemon_at_the_same_time(watched):
    canaries, state, log = watched
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def speak(thread: int) -> None:
        for number in range(300):
            canaries.spoke(state, {"text": f"value-of-thread-{thread}-{number:04}"}, 200, {})
            canaries.spoke(state, None, 404, {"detail": "cannot find it"})

    try:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(speak, range(4)))
    finally:
        sys.setswitchinterval(interval)
    log.write_text("".join(f"value-of-thread-{thread}-0299" for thread in range(4)))
    with pytest.raises(CanaryFound):
        canaries.ended(state)


def test_values_that_stand_anywhere_by_chance_are_none(watched):
    canaries, state, log = watched
    for text in ("short", "x" * 5000, "ab" * 40):
        canaries.spoke(state, {"text": text}, 200, {})
    log.write_text("short " + "x" * 6000 + "ab" * 50)
    canaries.ended(state)


def test_no_form_is_so_short_that_chance_makes_it():
    for value in (VALUE, secrets.token_bytes(16), b"exactly 16 bytes"):
        assert min(map(len, forms(value).values())) >= 12


@pytest.mark.integration
def test_a_leak_of_a_real_daemon_fails_the_test_that_stops_it(passable_path, monkeypatch):
    from secretsd.testing import daemon as daemons

    canaries = Canaries()
    monkeypatch.setattr(daemons, "WATCHERS", [canaries])
    daemon = Daemon(passable_path / "state").start()
    daemon.call("POST", "/v1/secrets", {"name": "app", "text": VALUE.decode()})
    (passable_path / "state" / "debug.txt").write_bytes(VALUE)
    with pytest.raises(CanaryFound, match=r"debug\.txt"):
        daemon.stop()
    with pytest.raises(RuntimeError):
        _ = daemon.pid
