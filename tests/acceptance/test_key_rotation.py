"""Key rotation in a real daemon on SoftHSM: by the clock and by use, re-encryption through a crash, destruction."""

import itertools
import os
import time
from collections.abc import Callable, Iterator
from threading import Event, Thread
from typing import Any

import pytest

from secretsd.adapters.keystore_process.data_directory import USES
from secretsd.adapters.keystore_process.use_counts import ALARM, UseCounts
from secretsd.testing.daemon import Daemon, secret_path
from tests.acceptance.wire import daemon_in_passable_place, wait_for

pytestmark = pytest.mark.acceptance
SECRETS = 60


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def daemon(request: pytest.FixtureRequest) -> Iterator[Daemon]:
    with daemon_in_passable_place(workers=request.param) as daemon:
        yield daemon


def must(daemon: Daemon, method: str, path: str, body: Any = None) -> Any:
    answered = daemon.call(method, path, body)
    assert answered.status == 200, answered.body
    return answered.body


def key_path(key: str, verb: str = "") -> str:
    return f"/v1/keys/{key}" + (f":{verb}" if verb else "")


def make_key(daemon: Daemon) -> str:
    return str(must(daemon, "POST", "/v1/keys", {})["id"])


def rotation_of(daemon: Daemon, key: str) -> Any:
    return must(daemon, "GET", key_path(key, "rotation-status"))


def make_secrets(daemon: Daemon, key: str, count: int = SECRETS) -> None:
    for number in range(count):
        must(daemon, "POST", "/v1/secrets", {"name": f"s-{number}", "text": f"value {number}", "key_id": key})


def require_all_readable(daemon: Daemon, count: int = SECRETS) -> None:
    for number in range(count):
        assert must(daemon, "GET", secret_path(f"s-{number}", "value"))["text"] == f"value {number}"


class Reader:
    """Reads the secrets one after the other, all the time; every answer has to be the value."""

    def __init__(self, daemon: Daemon, may_be_away: Callable[[], bool]) -> None:
        self.reads, self.wrong = 0, list[Any]()
        self._daemon, self._may_be_away = daemon, may_be_away
        self._stop = Event()
        self._thread = Thread(target=self._run)

    def __enter__(self) -> "Reader":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            number = self.reads % SECRETS
            try:
                answered = self._daemon.call("GET", secret_path(f"s-{number}", "value"))
            except OSError:
                if not self._may_be_away():
                    self.wrong.append("away")
                continue
            if answered.status != 200 and not (answered.status == 503 and self._may_be_away()):
                self.wrong.append(answered.body)
            elif answered.status == 200 and answered.body["text"] != f"value {number}":
                self.wrong.append(number)
            self.reads += 1


def test_a_key_is_rotated_by_the_clock(daemon: Daemon) -> None:
    key = make_key(daemon)
    make_secrets(daemon, key, 2)
    must(daemon, "POST", key_path(key, "enable-rotation"), {"rotation_period_seconds": 1})
    wait_for("two rotations", lambda: rotation_of(daemon, key)["current_version"] >= 3)
    stopped = must(daemon, "POST", key_path(key, "disable-rotation"), {})
    listed = must(daemon, "GET", key_path(key, "rotations"))["rotations"]
    assert [one["version"] for one in listed] == list(range(stopped["current_version"], 1, -1))
    moments = [one["rotated_ms"] for one in listed]
    assert moments == sorted(moments, reverse=True)
    assert all(later - earlier >= 1000 for later, earlier in itertools.pairwise(moments))
    require_all_readable(daemon, 2)
    events = [event for event in daemon.events() if event["operation"] == "RenewKey" and event["outcome"] == "ok"]
    assert len([event for event in events if "current_version" in event["fields"]]) == len(listed), "each once"
    assert {event["principal"].rpartition(":")[2] for event in events} == {"role/key-rotation"}


def test_secrets_are_re_encrypted_through_a_crash_while_they_are_read(daemon: Daemon) -> None:
    key = make_key(daemon)
    make_secrets(daemon, key)
    must(daemon, "POST", key_path(key, "rotate"), {})
    dead = Event()
    with Reader(daemon, dead.is_set) as reader:
        refused = daemon.call(
            "POST", key_path(key, "destroy-version"), {"version": 1, "confirm_unknown_ciphertexts": True}
        )
        assert (refused.status, refused.kind) == (409, "conflict")
        assert f"{SECRETS} secret version(s)" in refused.body["detail"]
        began = time.monotonic()
        must(daemon, "POST", key_path(key, "re-encrypt-secrets"), {"per_second": 20})

        def half() -> Any:
            found = must(daemon, "GET", key_path(key, "re-encryption"))
            # Two looks, one after the other: what was moved in between is in neither.
            assert SECRETS - 20 <= found["done"] + found["left"].get("secret-version", 0) <= SECRETS
            return found["done"] >= 20 and found

        before = wait_for("the first of them", half)
        assert before["state"] == "running"
        dead.set()
        daemon.kill()
        daemon.start()
        dead.clear()
        after = must(daemon, "GET", key_path(key, "re-encryption"))
        assert after["done"] >= before["done"]
        done = wait_for(
            "the rest",
            lambda: (found := must(daemon, "GET", key_path(key, "re-encryption")))["state"] == "done" and found,
        )
        seconds = time.monotonic() - began
    assert (done["total"], done["done"], done["waiting"], done["failed"], done["left"]) == (SECRETS, SECRETS, 0, 0, {})
    assert seconds >= (SECRETS - 20) / 20, "no faster than it was told"
    assert reader.wrong == []
    assert reader.reads > SECRETS
    gone = must(daemon, "POST", key_path(key, "destroy-version"), {"version": 1, "confirm_unknown_ciphertexts": True})
    assert gone["oldest_version"] == 2
    daemon.stop()
    daemon.start()
    require_all_readable(daemon)


def test_a_version_that_has_encrypted_too_often_is_replaced_by_itself(daemon: Daemon) -> None:
    key = make_key(daemon)
    make_secrets(daemon, key, 1)
    daemon.stop()
    add_encryptions(daemon, key, ALARM - 10)
    daemon.start()
    assert rotation_of(daemon, key)["current_version"] == 1
    for number in range(20):
        make_secrets_under(daemon, key, f"last-{number}")
    wait_for("a new version", lambda: rotation_of(daemon, key)["current_version"] == 2)
    found = rotation_of(daemon, key)
    assert found["enabled"] is False
    make_secrets_under(daemon, key, "next")
    for name in ("last-0", "last-19", "next"):
        assert must(daemon, "GET", secret_path(name, "value"))["text"] == name
    require_all_readable(daemon, 1)


def make_secrets_under(daemon: Daemon, key: str, name: str) -> None:
    must(daemon, "POST", "/v1/secrets", {"name": name, "text": name, "key_id": key})


def add_encryptions(daemon: Daemon, key: str, count: int) -> None:
    """Let the key store's own record say that the key's first version has made so many more ciphertexts."""
    path = daemon.state_dir / "keystore" / USES
    owner = path.stat()
    counts = UseCounts(path, lambda _: None, block=1)
    counts.reserve([((key, 1), count, 0)])  # on top of what there was, and as after a crash: reserved, so used
    os.chown(path, owner.st_uid, owner.st_gid)
