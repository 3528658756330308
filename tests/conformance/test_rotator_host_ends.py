"""What an attempt, a host or a stranger may do wrong, and what is left of it afterwards."""

import asyncio
import contextlib
import json
import logging
import os
import socket
import sys

import pytest

from secretsd.adapters.frames import pack
from secretsd.adapters.rotator_host.client import ProcessRotatorHost
from secretsd.adapters.rotator_host.wire import Heading, encode
from secretsd.ports.rotator import Outcome, RotationFailed
from secretsd.supervisor.spawn import run_once
from secretsd.supervisor.specification import ChildSpec
from tests.conformance.rotator_host import (
    CANARY,
    MODULE,
    RunningHost,
    is_alive,
    noted_nowhere,
    order,
    wait_for,
    written,
)

pytestmark = pytest.mark.integration


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
