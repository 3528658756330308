"""systemd's protocol, spoken to a socket that stands for systemd's."""

import os
import signal
import socket

import pytest

from secretsd.supervisor.notify import Notifier


class Systemd(socket.socket):
    """The receiving end."""

    told = ""


@pytest.fixture
def listening(tmp_path):
    with Systemd(socket.AF_UNIX, socket.SOCK_DGRAM) as receiving:
        receiving.told = str(tmp_path / "notify")
        receiving.bind(receiving.told)
        receiving.settimeout(30)
        yield receiving


def until(receiving, wanted):
    """What was said up to and with the wanted line."""
    said = []
    while wanted not in said:
        said.append(receiving.recv(4096).decode())
    return said


def test_readiness_and_the_end_are_told_once(supervised, listening):
    supervised.start(supervised.child(), env={**os.environ, "NOTIFY_SOCKET": listening.told, "WATCHDOG_USEC": "300000"})
    said = until(listening, "READY=1")
    assert said[0] == "STATUS=not serving: child"
    assert said[-2] == "STATUS=serving"
    until(listening, "WATCHDOG=1")
    os.kill(supervised.started(1)["pid"], signal.SIGKILL)
    supervised.started(2)
    until(listening, "STATUS=not serving: child")
    assert until(listening, "STATUS=serving").count("READY=1") == 0
    supervised.running.send_signal(signal.SIGTERM)
    until(listening, "STOPPING=1")
    assert supervised.running.wait(30) == 0
    assert "NOTIFY_SOCKET" not in supervised.started(1)["environ"]


def test_an_abstract_address_is_understood():
    name = f"secretsd-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiving:
        receiving.bind("\0" + name)
        receiving.settimeout(30)
        environment = {"NOTIFY_SOCKET": "@" + name, "KEPT": "1"}
        notifier = Notifier(environment)
        notifier.ready()
        assert receiving.recv(100) == b"READY=1"
        notifier.close()
        assert environment == {"KEPT": "1"}


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": "/no/such/socket"}])
def test_without_a_listener_nothing_happens(environment):
    notifier = Notifier(environment)
    notifier.ready()
    notifier.status("serving")
    notifier.stopping()
    notifier.close()


def test_a_watchdog_for_another_process_is_not_ours():
    notifier = Notifier({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid() + 1)})
    assert notifier.watchdog_seconds is None
    notifier.close()
    ours = Notifier({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())})
    assert ours.watchdog_seconds == 1.0
    ours.close()
