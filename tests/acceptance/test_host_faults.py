"""The host fails under the daemon: full and read-only disks, a key store or a worker that dies, and what goes on."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from secretsd.testing.daemon import Answered, Daemon, running
from tests.acceptance.wire import daemon_in_passable_place, wait_for

pytestmark = [pytest.mark.acceptance, pytest.mark.needs_root]
KEYSTORE_CALL_SECONDS = 2.0
WORKER_UID = 61_701  # whom `secretsd dev`, started by root, makes its workers
# One of each kind: a read from memory, a list, a change, a call that needs neither, a refusal, no operation at all.
CALLS: dict[str, tuple[str, str, Any]] = {
    "GetSecretValue": ("GET", "/v1/secrets/kept:value", None),
    "ListSecrets": ("GET", "/v1/secrets", None),
    "PutSecretValue": ("PUT", "/v1/secrets/kept:value", {"text": "new"}),
    "CreateSecret": ("POST", "/v1/secrets", {"name": "half", "text": "x" * 60_000}),
    "CreateUser": ("POST", "/v1/users", {"user": "half"}),
    "GetCallerIdentity": ("GET", "/v1/caller-identity", None),
    "GetRandomPassword": ("POST", "/v1/passwords:random", {}),
    "a refused read": ("GET", "/v1/secrets/nowhere:value", None),
    "no operation": ("GET", "/v1/nowhere", None),
}


@contextlib.contextmanager
def disk(*mount: str, within: str = "") -> Iterator[Path]:
    """A file system of its own, for a state directory or a part of it, that other users can pass through."""
    place = Path(tempfile.mkdtemp(prefix="secretsd-test-"))
    place.chmod(0o711)
    state = place / "state" / within
    state.mkdir(parents=True, mode=0o711)
    state.parent.chmod(0o711)
    try:
        subprocess.run(["mount", *mount, str(state)], check=True)
        state.chmod(0o711)
        yield state
    finally:
        subprocess.run(["umount", "--lazy", str(state)], check=False)
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def workers(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def fill(place: Path) -> Path:
    filler = place / "filler"
    with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filler


def until_refused(daemon: Daemon, filler_place: Path | None, call: tuple[str, str, Any]) -> tuple[Answered, int]:
    """The first answer that says storage-unavailable, and how many calls were answered before.

    A write-ahead log reuses the pages it has, so a full disk is felt only when the log wants to grow.
    """
    for answered in range(5000):
        answer = daemon.call(*call)
        if answer.kind == "storage-unavailable":
            return answer, answered
        assert answer.status < 500
        if filler_place is not None and answered % 50 == 0:
            fill(filler_place)
    raise AssertionError(f"{call} was never refused")


def assert_all_fail(daemon: Daemon, place: Path | None, reason: str) -> dict[str, int]:
    done = {}
    for name, call in CALLS.items():
        answer, done[name] = until_refused(daemon, place, call)
        assert answer.status == 503, name
        assert reason in answer.body["detail"], name
    connection = daemon.connect()
    connection.request("GET", "/v1/secrets/kept:value")
    response = connection.getresponse()
    response.read()
    assert response.status == 503
    assert int(response.getheader("Retry-After", "0")) >= 1
    # What is no operation goes on, and says what is wrong, in each worker within its next look.
    wait_for(
        "health to say so", lambda: "storage" in str(daemon.call("GET", "/v1/health").body) and not healthy(daemon)
    )
    connection.request("GET", "/metrics")
    response = connection.getresponse()
    assert b"storage-unavailable" in response.read()
    connection.close()
    return done


def healthy(daemon: Daemon) -> bool:
    return daemon.call("GET", "/v1/health").status == 200


def test_a_full_disk(workers: int) -> None:
    with (
        disk("-t", "tmpfs", "-o", "size=48m", "tmpfs") as place,
        running(place, settings={"workers": workers}) as daemon,
    ):
        assert daemon.call("POST", "/v1/secrets", {"name": "kept", "text": "old"}).status == 200
        pids = daemon.children("worker")
        versions = len(daemon.call("GET", "/v1/secrets/kept:versions").body["versions"])
        filler = fill(place)
        done = assert_all_fail(daemon, place, "cannot use the storage")
        filler.unlink()
        wait_for("reads", lambda: daemon.call("GET", "/v1/secrets/kept:value").status == 200)
        wait_for("writes", lambda: daemon.call("PUT", "/v1/secrets/kept:value", {"text": "after"}).status == 200)
        wait_for("health", lambda: all(healthy(daemon) for _ in range(8)))
        assert daemon.children("worker") == pids, "it recovers without a restart"
        assert daemon.call("GET", "/v1/secrets/kept:value").body["text"] == "after"
        # Nothing half there: what was answered is, what was refused is not.
        described = daemon.call("GET", "/v1/secrets/kept").body
        assert described["version_count"] == versions + done["PutSecretValue"] + 1
        assert (daemon.call("GET", "/v1/secrets/half:value").status == 200) is (done["CreateSecret"] > 0)
        assert (daemon.call("GET", "/v1/users/half").status == 200) is (done["CreateUser"] > 0)
        puts = [event for event in daemon.events(operation="PutSecretValue") if event["outcome"] == "ok"]
        assert len(puts) == done["PutSecretValue"] + 1


def test_a_disk_that_the_kernel_makes_read_only() -> None:
    """As ext4 does when it meets an error: files stay open, and every write to them fails."""
    with tempfile.TemporaryDirectory() as directory:
        image = Path(directory) / "image"
        image.touch()
        os.truncate(image, 64 * 1024 * 1024)
        subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
        try:
            mounted = disk("-o", "loop", str(image))
            place = mounted.__enter__()
        except subprocess.CalledProcessError:
            pytest.skip("cannot mount a file here: no loop devices")
        with contextlib.ExitStack() as stack:
            stack.push(mounted)
            daemon = stack.enter_context(running(place, settings={"workers": 2}))
            assert daemon.call("POST", "/v1/secrets", {"name": "kept", "text": "old"}).status == 200
            subprocess.run(["mount", "-o", "remount,abort", str(place)], check=True)
            assert_all_fail(daemon, None, "cannot use the storage")


def test_a_start_on_a_read_only_disk_waits_for_a_better_one(workers: int) -> None:
    """Workers that find it read-only are started again until it is not; nobody has to do anything."""
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(disk("-t", "tmpfs", "-o", "size=48m", "tmpfs", within="storage"))
        place.chmod(0o700)
        os.chown(place, WORKER_UID, WORKER_UID)
        daemon = stack.enter_context(running(place.parent, settings={"workers": workers}))
        assert daemon.call("POST", "/v1/secrets", {"name": "kept", "text": "old"}).status == 200
        with stopped(daemon.pid):
            for pid in daemon.children("worker"):
                os.kill(pid, signal.SIGKILL)
            wait_for("them to let go", lambda: remount(place, "ro"))
        wait_for("a worker to say so", lambda: "cannot use the storage" in daemon.log.read_text())
        assert remount(place, "rw")
        wait_for("reads", lambda: answered(daemon) == "old")
        assert daemon.call("PUT", "/v1/secrets/kept:value", {"text": "new"}).status == 200
        assert "Traceback" not in daemon.log.read_text()


def remount(place: Path, how: str) -> bool:
    return (
        subprocess.run(["mount", "-o", f"remount,{how}", str(place)], capture_output=True, check=False).returncode == 0
    )


def answered(daemon: Daemon) -> str:
    with contextlib.suppress(OSError, RuntimeError):
        body = daemon.call("GET", "/v1/secrets/kept:value").body
        return str(body.get("text", ""))
    return ""


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.fixture
def daemon(workers: int) -> Iterator[Daemon]:
    """One data key a worker is kept, so that the last value read is served from memory and no other."""
    with daemon_in_passable_place(workers=workers, cache={"max_data_keys": 1}) as daemon:
        for name in ("cold", "kept"):
            assert daemon.call("POST", "/v1/secrets", {"name": name, "text": "old"}).status == 200
        yield daemon


def test_a_key_store_that_is_away(daemon: Daemon) -> None:
    connection = daemon.connect()  # a connection stays with its worker, and so with its memory
    assert daemon.call("GET", "/v1/secrets/kept:value", connection=connection).body["text"] == "old"
    pids = daemon.children("worker")
    (pid,) = daemon.children("keystore")
    with stopped(daemon.pid):  # so that nobody starts another one
        os.kill(pid, signal.SIGKILL)
        for method, path, body in (
            ("GET", "/v1/secrets/cold:value", None),
            ("PUT", "/v1/secrets/kept:value", {"text": "new"}),
            ("POST", "/v1/keys", {}),
        ):
            started = time.monotonic()
            answer = daemon.call(method, path, body, connection=connection)
            assert (answer.status, answer.kind) == (503, "keystore-unavailable")
            assert time.monotonic() - started < KEYSTORE_CALL_SECONDS + 3
            assert daemon.call("GET", "/v1/secrets/kept:value", connection=connection).body["text"] == "old"
        wait_for(
            "health to say so",
            lambda: "cannot reach" in str(daemon.call("GET", "/v1/health").body["parts"]["keystore"]),
        )
        wait_for("every worker's health", lambda: not any(healthy(daemon) for _ in range(8)))
    wait_for("a value from the new key store", lambda: daemon.call("GET", "/v1/secrets/cold:value").status == 200)
    assert daemon.call("PUT", "/v1/secrets/kept:value", {"text": "new"}, connection=connection).status == 200
    wait_for("health", lambda: all(healthy(daemon) for _ in range(8)))
    assert daemon.children("worker") == pids, "it recovers without a restart of a worker"
    connection.close()


def test_a_key_store_that_hangs_is_replaced(daemon: Daemon) -> None:
    connection = daemon.connect()
    assert daemon.call("GET", "/v1/secrets/kept:value", connection=connection).status == 200
    (pid,) = daemon.children("keystore")
    os.kill(pid, signal.SIGSTOP)
    assert daemon.call("GET", "/v1/secrets/kept:value", connection=connection).status == 200
    wait_for("another key store", lambda: pid not in daemon.children("keystore") and daemon.children("keystore"))
    wait_for("a value from it", lambda: daemon.call("GET", "/v1/secrets/cold:value").status == 200)
    connection.close()


def test_killed_workers_are_back(daemon: Daemon, workers: int) -> None:
    before = daemon.children("worker")
    assert len(before) == workers
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    started = time.monotonic()
    wait_for("an answer", lambda: answered(daemon) == "old")
    print(f"back after {time.monotonic() - started:.2f} s")
    assert time.monotonic() - started < 5
    wait_for("all of them", lambda: len(daemon.children("worker")) == workers)
    assert not set(before) & set(daemon.children("worker"))
