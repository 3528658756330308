"""The rotator host through its client: the port's promises, and what a bad rotator cannot do."""

import asyncio
import contextlib
import json
import logging
import os
import socket
import sys
import time
from pathlib import Path

import msgspec
import pytest

from secretsd.adapters.frames import pack
from secretsd.adapters.rotator_host.client import ProcessRotatorHost
from secretsd.adapters.rotator_host.configuration import RotatorHostConfiguration
from secretsd.adapters.rotator_host.wire import Heading, encode
from secretsd.domain.sensitive import Plaintext
from secretsd.ports.rotator import Acceptance, JobOrder, Outcome, RotationFailed, StagedSecret
from secretsd.supervisor.spawn import reap, run_once, spawn
from secretsd.supervisor.specification import ChildSpec

pytestmark = pytest.mark.integration
OTHERS = Path(__file__).parent / "rotators_of_others"
# As `python -I -m secretsd.adapters.rotator_host`, with one more place where distributions are installed.
PROGRAM = (
    f"import sys; sys.path.insert(0, {str(OTHERS)!r}); from secretsd.adapters.rotator_host.host import main; main()"
)
MODULE = "runpy.run_module('secretsd.adapters.rotator_host', run_name='__main__')"
CANARY = "c4nary-value"


class RunningHost:
    """A host started as the supervisor starts it."""

    def __init__(self, directory: Path, **configured) -> None:
        self.path = directory / "rotator.sock"
        self.errors = directory / "errors"
        self._configured = configured
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(str(self.path))
        self.listening.listen(64)
        self.start()

    def start(self) -> None:
        configuration = RotatorHostConfiguration(
            **{
                "rotators": ("random", "noting", "misbehaving", "misnamed", "broken"),
                "allowed_uids": (os.getuid(),),
                **self._configured,
            }
        )
        spec = ChildSpec(
            name="rotator",
            argv=(sys.executable, "-I", "-c", PROGRAM),
            uid=os.getuid(),
            gid=os.getgid(),
            configuration=msgspec.json.encode(configuration),
        )
        stderr = os.dup(2)
        with self.errors.open("a") as errors:
            os.dup2(errors.fileno(), 2)
            try:
                self.pid, self.control = spawn(spec, [self.listening.fileno()])
            finally:
                os.dup2(stderr, 2)
                os.close(stderr)
        self.control.settimeout(30)
        assert self.control.recv(1) == b"R", self.errors.read_text()

    def kill(self) -> None:
        reap(self.pid)
        self.control.close()

    def close(self) -> None:
        self.kill()
        self.listening.close()


@pytest.fixture
def running(tmp_path):
    host = RunningHost(tmp_path)
    yield host
    host.close()


@pytest.fixture
def host(running):
    return ProcessRotatorHost(running.path, attempt_seconds=60)


def order(rotator="misbehaving", account="000000000001", **fields):
    settings = fields.pop("settings", {"target": "here"} if rotator == "noting" else {})
    candidate = StagedSecret("new", Plaintext(CANARY.encode()), 2, b"kept beside it")
    return JobOrder(
        account=account,
        rotator=rotator,
        secret="prod/db/app",
        settings=json.dumps(settings),
        epoch=fields.pop("epoch", 7),
        current=fields.pop("current", StagedSecret("old", Plaintext(b"old value"))),
        candidate=candidate,
        **fields,
    )


async def noted_nowhere(data: bytes) -> None:
    raise AssertionError("no note is due")


async def wait_for(what, condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        await asyncio.sleep(0.02)
    return found


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def written(path):
    done = Path(f"{path}.done")
    return json.loads(done.read_text()) if done.exists() else None


async def test_it_describes_what_may_load_and_nothing_else(host, caplog):
    described = {one.name: one for one in await host.rotators()}
    assert set(described) == {"random", "noting", "misbehaving"}
    assert described["noting"].summary == "Notes twice while it applies, and tells of its process."
    assert described["noting"].abilities == {"revoke"}
    assert described["random"].abilities == frozenset()
    schema = described["noting"].settings_schema["$defs"]["Settings"]
    assert schema["required"] == ["target"]
    assert schema["properties"]["tries"] == {"type": "integer", "default": 3}
    assert "cannot describe the rotator broken: crashed RuntimeError" in caplog.text
    assert "s3cret-0" not in caplog.text


@pytest.mark.parametrize("method", ["prepare", "settle", "verify"])
async def test_a_rotator_that_is_not_allowed_is_refused_though_it_is_installed(host, method):
    with pytest.raises(RotationFailed) as refused:
        await getattr(host, method)(order("forgotten"))
    assert refused.value.reason == "unknown-rotator"
    with pytest.raises(RotationFailed, match="unknown-rotator"):
        await host.apply(order("forgotten"), noted_nowhere)
    with pytest.raises(RotationFailed, match="unknown-rotator"):
        await host.check_settings("forgotten", "{}")


async def test_settings_come_back_canonical_with_their_defaults(host):
    settings = '{ "extra": {"b": 2, "a": 1}, "target": "x" }'
    assert await host.check_settings("noting", settings) == '{"target":"x","tries":3,"extra":{"a":1,"b":2}}'


@pytest.mark.parametrize(
    ("rotator", "settings", "detail"),
    [
        ("noting", "{}", "Object missing required field `target`, at $"),
        ("noting", '{"target": "t", "tries": "s3cret"}', "Expected `int`, got `str`, at $.tries"),
        ("noting", '{"target": "t", "extra": {"s3cret": "s3cret"}}', "Expected `int`, got `str`, at $.extra[...]"),
        ("noting", '{"target": "t", "s3cret": 1}', "there is an unknown field, or a value that is not allowed, at $"),
        ("random", '{"kind": "s3cret"}', "there is an unknown field, or a value that is not allowed, at $.kind"),
        ("random", '{"length": 2}', "cannot make a password: it is shorter than the number of required types"),
        (
            "misbehaving",
            '{"act": "x", "path": "s3cret", "refuse": true}',
            "there is an unknown field, or a value that is not allowed, at $",
        ),
        ("noting", "s3cret", "it is no JSON"),
        ("noting", "", "it is no JSON"),
    ],
)
async def test_bad_settings_are_told_by_place_and_never_by_value(host, rotator, settings, detail):
    with pytest.raises(RotationFailed) as refused:
        await host.check_settings(rotator, settings)
    assert (refused.value.reason, refused.value.detail) == ("bad-settings", detail)
    assert "s3cret" not in repr(refused.value)


async def test_the_job_arrives_whole_and_the_candidate_comes_back(host):
    settings = {"target": "here", "tries": 9}
    made = await host.prepare(order("noting", settings=settings, journal=(b"a", b"b")))
    assert (made.value, made.text, made.journal) == (Plaintext(b"\x00\xff"), False, b"from prepare")
    here = json.loads(made.public["here"])
    assert here["settings"] == {"target": "here", "tries": 9, "extra": {}}
    assert (here["epoch"], here["current"], here["journal"]) == (7, "old value", ["a", "b"])


async def test_an_attempt_has_its_connection_and_nothing_else(host, running):
    here = json.loads((await host.prepare(order("noting"))).public["here"])
    assert json.loads(here["kinds"]) == ["/dev/null", "/dev/null", "/dev/null", "socket"]
    # Its event loop opened the rest after everything above the connection had been closed.
    assert len(here["fds"]) <= 4 + 3
    assert here["environ"] == ["LANG", "PATH"]
    assert here["core"] == [0, 0]


async def test_no_two_attempts_share_a_process_and_none_has_seen_another_rotator(host, running):
    await host.prepare(order("random", account="000000000009"))
    first, second = await asyncio.gather(
        *(host.prepare(order("noting", account=account)) for account in ("000000000001", "000000000002"))
    )
    seen = [json.loads(made.public["here"]) for made in (first, second)]
    assert len({one["pid"] for one in seen} | {running.pid}) == 3
    assert all(one["imported_in"] == one["pid"] for one in seen)
    assert all(one["rotators"] == [] for one in seen)


@pytest.mark.needs_root
async def test_the_host_itself_never_holds_a_value(host, running):
    """Reads the host's memory right after attempts ran: it forks from a process that no order ever reached."""
    await host.prepare(order("noting"))
    assert await host.apply(order("misbehaving", settings={"act": "print"}), noted_nowhere) is Outcome.APPLIED
    assert b"000000000001" in memory(running.pid)  # the heading's account did reach it, so we look in the right place
    assert CANARY.encode() not in memory(running.pid)


def memory(pid):
    found = bytearray()
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as opened:
        for line in maps:
            place, rights, *_ = line.split()
            if rights.startswith("rw") and not line.rstrip().endswith("[vvar]"):
                start, end = (int(one, 16) for one in place.split("-"))
                opened.seek(start)
                found += opened.read(end - start)
    return found


async def test_a_note_is_stored_before_the_rotator_goes_on(host):
    stored, alone = [], asyncio.Lock()

    async def note(data):
        async with alone:
            await asyncio.sleep(0.05)
            stored.append(data)

    assert await host.apply(order("noting"), note) is Outcome.REJECTED
    assert stored == [b"one", b"two"]


async def test_an_engine_that_cannot_store_a_note_stops_the_attempt_with_its_own_error(host):
    async def note(data):
        raise EOFError("the engine's own")

    with pytest.raises(EOFError, match="the engine's own"):
        await host.apply(order("noting"), note)


async def test_a_probe_tells_of_each_version(host):
    versions = [StagedSecret(word.value, Plaintext(word.value.encode())) for word in Acceptance]
    assert await host.probe(order("noting"), versions) == {word.value: word for word in Acceptance}


@pytest.mark.parametrize("act", ["raise", "die", "exit", "write-junk", "answer-another-question", "refuse-at-length"])
async def test_an_attempt_that_breaks_leaves_unknown_in_apply_and_crashes_elsewhere(host, act, caplog):
    assert await host.apply(order(settings={"act": act}), noted_nowhere) is Outcome.UNKNOWN
    with pytest.raises(RotationFailed) as crashed:
        await host.verify(order(settings={"act": act}))
    assert crashed.value.reason == "crashed"
    assert CANARY not in caplog.text + crashed.value.detail


async def test_an_apply_that_returns_nothing_leaves_unknown(host):
    assert await host.apply(order(settings={"act": "answer-nothing"}), noted_nowhere) is Outcome.UNKNOWN


async def test_where_it_broke_is_told_without_a_word_of_the_error(host, caplog):
    assert await host.apply(order(settings={"act": "raise"}), noted_nowhere) is Outcome.UNKNOWN
    assert (
        "cannot finish apply of misbehaving in account 000000000001: it crashed RuntimeError at others.py:"
        in caplog.text
    )


async def test_a_refusal_keeps_its_word(host):
    for call in (
        host.verify(order(settings={"act": "refuse"})),
        host.apply(order(settings={"act": "refuse"}), noted_nowhere),
    ):
        with pytest.raises(RotationFailed) as refused:
            await call
        assert refused.value.reason == "target-is-read-only"


async def test_what_a_rotator_prints_goes_nowhere(host, running, capfd, caplog):
    caplog.set_level(logging.DEBUG)
    assert await host.apply(order(settings={"act": "print"}), noted_nowhere) is Outcome.APPLIED
    assert running.errors.read_text() == ""
    assert CANARY not in "".join(capfd.readouterr()) + caplog.text


@pytest.mark.parametrize("act", ["sleep", "block"])
async def test_an_attempt_is_killed_at_its_deadline(running, act, tmp_path):
    host = ProcessRotatorHost(running.path, attempt_seconds=1)
    path = tmp_path / "pids"
    assert await host.apply(order(settings={"act": act, "path": str(path)}), noted_nowhere) is Outcome.UNKNOWN
    (pid,) = written(path)
    await wait_for("its end", lambda: not is_alive(pid))
    with pytest.raises(RotationFailed, match="timed-out"):
        await host.verify(order(settings={"act": act, "path": str(path)}))


async def test_a_deadline_longer_than_allowed_is_refused(running):
    host = ProcessRotatorHost(running.path, attempt_seconds=301)
    with pytest.raises(RotationFailed, match="host-away"):
        await host.prepare(order("noting"))


async def test_an_attempt_whose_worker_hangs_up_is_killed(host, tmp_path):
    path = tmp_path / "pids"
    task = asyncio.create_task(host.apply(order(settings={"act": "block", "path": str(path)}), noted_nowhere))
    (pid,) = await wait_for("the attempt", lambda: written(path))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await wait_for("its end", lambda: not is_alive(pid))


async def test_what_an_attempt_leaves_behind_is_killed_with_it(host, tmp_path):
    path = tmp_path / "pids"
    settings = {"act": "leave-orphans", "path": str(path)}
    assert await host.apply(order(settings=settings), noted_nowhere) is Outcome.APPLIED
    pids = written(path)
    assert len(pids) == 3
    await wait_for("the end of all", lambda: not any(is_alive(pid) for pid in pids))


async def test_no_attempt_survives_its_host_and_a_new_one_serves(running, host, tmp_path):
    path = tmp_path / "pids"
    task = asyncio.create_task(host.apply(order(settings={"act": "block", "path": str(path)}), noted_nowhere))
    (pid,) = await wait_for("the attempt", lambda: written(path))
    running.kill()
    assert await task is Outcome.UNKNOWN
    await wait_for("its end", lambda: not is_alive(pid))
    running.start()
    assert (await host.prepare(order("random"))).text


async def test_without_a_host_nothing_has_happened(tmp_path):
    host = ProcessRotatorHost(tmp_path / "nobody.sock")
    with pytest.raises(RotationFailed, match="host-away"):
        await host.apply(order(), noted_nowhere)
    with pytest.raises(RotationFailed, match="host-away"):
        await host.rotators()


async def test_more_attempts_than_may_run_at_a_time_wait_their_turn(tmp_path):
    running = RunningHost(tmp_path, max_attempts=2)
    try:
        host = ProcessRotatorHost(running.path, attempt_seconds=60)
        made = await asyncio.gather(*(host.prepare(order("random")) for _ in range(12)))
        assert len({one.value.reveal() for one in made}) == 12
    finally:
        running.close()


@pytest.mark.parametrize(
    "bytes_sent",
    [
        b"",
        b"\xff\xff\xff\xff",
        b"\x00\x00\x20\x00" + b"x" * 64,
        pack(["junk"]),
        pack([]),
        encode(Heading("no-such-method", "random", "", 1.0)),
        encode(Heading("prepare", "random", "", -1.0)),
        encode(Heading("prepare", "random", "", float("nan"))),
        encode(Heading("prepare", "random", "", 30.0)) + pack(["junk"]),
    ],
)
async def test_junk_loses_its_own_connection_only(running, host, bytes_sent):
    reader, writer = await asyncio.open_unix_connection(str(running.path))
    writer.write(bytes_sent)
    if not bytes_sent:
        writer.write_eof()
    async with asyncio.timeout(30):
        with contextlib.suppress(ConnectionResetError):  # it hung up with some of the junk unread
            while await reader.read(4096):
                pass
    writer.close()
    assert (await host.prepare(order("random"))).text


async def test_an_order_must_be_that_of_its_heading(running, monkeypatch):
    """A worker's mistake must not run one account's job under another one's name."""
    client = ProcessRotatorHost(running.path)
    wrong = Heading("prepare", "noting", "000000000002", 30.0)
    monkeypatch.setattr(client, "_heading", lambda *_: wrong)
    with pytest.raises(RotationFailed, match="crashed"):
        await client.prepare(order("noting", account="000000000001"))


async def test_another_uid_is_turned_away(tmp_path):
    running = RunningHost(tmp_path, allowed_uids=(os.getuid() + 1,))
    try:
        with pytest.raises(RotationFailed, match="host-away"):
            await ProcessRotatorHost(running.path).rotators()
    finally:
        running.close()


async def test_it_answers_pings_and_ends_politely(running, host):
    running.control.send(b"pp")
    await wait_for("two answers", lambda: running.control.recv(2, socket.MSG_PEEK) == b"PP")
    os.kill(running.pid, 15)
    await wait_for("its end", lambda: not is_alive(running.pid))


async def test_it_ends_with_its_supervisor(running):
    running.control.close()
    await wait_for("its end", lambda: not is_alive(running.pid))


@pytest.mark.parametrize("configured", [{"rotators": ["no-such"]}, {"rotators": "s3cret"}, {"pin": "s3cret"}])
def test_a_fault_of_its_configuration_is_told_without_values(configured):
    spec = ChildSpec(
        name="rotator",
        argv=(sys.executable, "-I", "-c", "import os; os.dup2(1, 2); import runpy; " + MODULE),
        uid=os.getuid(),
        gid=os.getgid(),
        configuration=json.dumps({"rotators": [], "allowed_uids": [], **configured}).encode(),
    )
    status, said = run_once(spec, 30)
    assert status == 78
    assert said.startswith(b"cannot ")
    assert b"s3cret" not in said
