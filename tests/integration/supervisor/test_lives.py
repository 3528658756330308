"""What becomes of children that die, hang, refuse their configuration or lose their supervisor."""

import os
import signal
import time

import pytest


@pytest.mark.parametrize("victim", ["keystore", "rotator", "worker-1", "worker-2"])
def test_a_killed_child_comes_back_and_the_others_stay(supervised, victim):
    names = ["keystore", "rotator", "worker-1", "worker-2"]
    supervised.start(*(supervised.child(name) for name in names))
    supervised.ready()
    before = {name: supervised.started(1, name)["pid"] for name in names}
    os.kill(before[victim], signal.SIGKILL)
    again = supervised.started(2, victim)
    assert again["pid"] != before[victim]
    supervised.said(f"cannot keep {victim} (pid {before[victim]}) running: signal 9; starting it again\n")
    assert {name: len(supervised.starts(name)) for name in names} == {name: 1 + (name == victim) for name in names}
    assert supervised.stop() == 0


def test_a_child_that_hangs_is_killed_and_started_again(supervised, is_alive):
    supervised.start(supervised.child(stall_seconds=0.5))
    supervised.ready()
    first = supervised.started(1)["pid"]
    os.kill(first, signal.SIGSTOP)
    supervised.started(2)
    supervised.said("it did not answer for 0.5 s; starting it again")
    assert not is_alive(first)
    assert supervised.stop() == 0


def test_a_supervisor_that_slept_does_not_blame_its_children(supervised):
    supervised.start(supervised.child(stall_seconds=1.5))
    supervised.ready()
    supervised.running.send_signal(signal.SIGSTOP)
    time.sleep(2.0)  # longer than the stall limit is the very thing tried here
    supervised.running.send_signal(signal.SIGCONT)
    time.sleep(0.6)  # two pings
    assert supervised.stop() == 0
    assert len(supervised.starts()) == 1


def test_a_child_that_is_never_ready_is_given_up_and_tried_again(supervised):
    supervised.start(supervised.child(configuration={"behaviour": "never-ready"}, start_seconds=0.3))
    supervised.started(3)
    supervised.said("it was not ready within 0.3 s")
    assert supervised.stop() == 0


def test_the_wait_grows_only_while_a_child_keeps_dying_young(supervised):
    supervised.start(supervised.child(configuration={"behaviour": "exit", "status": 3}))
    supervised.started(5)
    moments = [start["at"] for start in supervised.starts()[:5]]
    # Nothing above is certain on a busy machine, only what the supervisor must at least have waited.
    assert moments[2] - moments[1] >= 0.1
    assert moments[4] - moments[3] >= 0.4
    supervised.said("exit status 3; starting it again\n")
    supervised.said("exit status 3; starting it again in 0.4 s\n")
    assert supervised.stop() == 0


def test_a_fault_of_configuration_at_the_start_ends_everything_with_its_status(supervised, is_alive):
    supervised.start(
        supervised.child("keystore"),
        supervised.child("refused", {"behaviour": "exit", "status": 78}),
    )
    assert supervised.running.wait(30) == 78
    assert "cannot run refused" in supervised.errors()
    assert len(supervised.starts("refused")) == 1
    assert all(not is_alive(start["pid"]) for start in supervised.starts("keystore"))


def test_a_fault_of_configuration_later_stops_that_child_only(supervised):
    worker, keystore = supervised.child("worker"), supervised.child("keystore")
    supervised.start(worker, keystore)
    supervised.ready()
    program = supervised.program.read_text()
    supervised.program.write_text("raise SystemExit(78)")
    os.kill(supervised.started(1, "keystore")["pid"], signal.SIGKILL)
    supervised.said("cannot run keystore")
    supervised.program.write_text(program)
    os.kill(supervised.started(1, "worker")["pid"], signal.SIGKILL)
    supervised.started(2, "worker")
    assert len(supervised.starts("keystore")) == 1
    assert supervised.stop() == 0


@pytest.mark.parametrize("children", [1, 4])
def test_no_child_survives_a_killed_supervisor(supervised, wait_for, is_alive, children):
    names = [f"child-{number}" for number in range(children)]
    # Without the kernel's death signal, so that the end of the control channel alone has to do it.
    supervised.start(
        *(supervised.child(name, {"die_with_parent": number % 2 == 1}) for number, name in enumerate(names))
    )
    supervised.ready()
    pids = [supervised.started(1, name)["pid"] for name in names]
    supervised.running.kill()
    wait_for("the end of every child", lambda: not any(is_alive(pid) for pid in pids))


def test_a_child_that_still_loads_ends_with_the_supervisor(supervised, wait_for, is_alive):
    """It has asked for nothing yet and looks at no channel; it would keep the listening sockets all that time."""
    supervised.start(supervised.child(configuration={"behaviour": "never-ready", "die_with_parent": False}))
    pid = supervised.started(1)["pid"]
    supervised.running.kill()
    wait_for("the end of the child", lambda: not is_alive(pid))


def test_followers_wait_for_the_first_start_of_the_others_and_stop_before_them(supervised):
    supervised.start(
        supervised.child("worker", after=["keystore", "rotator"]),
        supervised.child("rotator"),
        supervised.child("keystore"),
    )
    supervised.ready()
    first = {name: supervised.started(1, name)["at"] for name in ("worker", "rotator", "keystore")}
    assert first["worker"] > max(first["keystore"], first["rotator"])
    assert supervised.stop() == 0
    ended = {name: supervised.ended(name)[0] for name in first}
    assert ended["worker"] < min(ended["keystore"], ended["rotator"])


def test_a_follower_that_waits_itself_starts_beside_the_others(supervised):
    supervised.start(
        supervised.child("worker", after=["keystore"], waits_itself=True),
        supervised.child("keystore", {"behaviour": "never-ready"}),
    )
    supervised.started(1, "worker")
    assert supervised.stop() == 0


def test_a_follower_does_not_wait_for_one_that_cannot_start(supervised):
    broken = supervised.child("keystore", {"behaviour": "exit", "status": 1})
    supervised.start(supervised.child("worker", after=["keystore"]), broken)
    supervised.started(1, "worker")
    assert supervised.stop() == 0


def test_what_does_not_end_politely_is_killed(supervised, is_alive):
    supervised.start(supervised.child(configuration={"behaviour": "ignore-term"}), stop_seconds=0.5)
    supervised.ready()
    assert supervised.stop() == 0
    assert "it did not end within 0.5 s" in supervised.errors()
    assert not is_alive(supervised.started(1)["pid"])


def test_a_second_signal_kills_at_once(supervised, is_alive):
    supervised.start(supervised.child(configuration={"behaviour": "ignore-term"}), stop_seconds=3600)
    supervised.ready()
    supervised.running.send_signal(signal.SIGTERM)
    pid = supervised.started(1)["pid"]
    os.kill(pid, 0)
    assert supervised.stop(signal.SIGINT) == 0
    assert not is_alive(pid)


def test_a_hang_up_is_passed_on_to_children_that_reload_and_to_no_other(supervised):
    """This child knows nothing of it and dies, so that it shows who was told."""
    supervised.start(supervised.child("worker", reloads=True), supervised.child("keystore"))
    supervised.ready()
    pid = supervised.started(1, "keystore")["pid"]
    supervised.running.send_signal(signal.SIGHUP)
    supervised.started(2, "worker")
    os.kill(pid, 0)
    assert len(supervised.starts("keystore")) == 1
    assert supervised.stop() == 0


def test_a_hang_up_is_ignored(supervised):
    supervised.start(supervised.child())
    supervised.ready()
    supervised.running.send_signal(signal.SIGHUP)
    os.kill(supervised.started(1)["pid"], signal.SIGKILL)
    supervised.started(2)
    assert supervised.stop() == 0
