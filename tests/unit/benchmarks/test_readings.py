"""What benchmarks read out of /proc, out of metrics and out of query plans."""

import os
import socket
import subprocess
import sys
import time

from benchmarks.load import Exchange
from benchmarks.ours import metrics
from benchmarks.plans import indexed
from benchmarks.processes import cpu_seconds, family, parent_in, resident_megabytes, sockets, ticks_in
from benchmarks.reads import spread

STAT = "71 (odd) name (x) S 12 71 71 0 -1 4194560 1 0 0 0 250 31 9 9 20 0 1 0 100 1 1"


def test_a_command_with_spaces_and_parentheses_moves_no_field() -> None:
    assert parent_in(STAT) == 12
    assert ticks_in(STAT) == 281


def test_cpu_time_grows_with_work_and_a_child_belongs_to_the_family() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert {os.getpid(), child.pid} <= set(family(os.getpid()))
    finally:
        child.communicate(b"\n")
    before, deadline = cpu_seconds([os.getpid()]), time.monotonic() + 30
    while cpu_seconds([os.getpid()]) <= before and time.monotonic() < deadline:
        sum(range(10_000))
    assert cpu_seconds([os.getpid()]) > before


def test_memory_and_sockets_of_a_process_are_seen() -> None:
    assert 1 < resident_megabytes(os.getpid()) < 100_000
    before = sockets(os.getpid())
    one, two = socket.socketpair()
    with one, two:
        assert sockets(os.getpid()) == before + 2


def test_samples_of_one_metric_are_added_up() -> None:
    text = (
        "# HELP secretsd_calls_total Answered calls.\n# TYPE secretsd_calls_total counter\n"
        'secretsd_calls_total{operation="A",outcome="ok"} 3.0\nsecretsd_calls_total{operation="B",outcome="ok"} 1e+06\n'
        "secretsd_storage_up 1.0\n"
    )
    assert metrics(text) == {"secretsd_calls_total": 1_000_003.0, "secretsd_storage_up": 1.0}


def test_a_plan_that_scans_or_sorts_is_not_by_an_index() -> None:
    assert indexed("SEARCH secrets USING INDEX secrets_1 (account=? AND name=?)")
    assert not indexed("SCAN secrets")
    assert not indexed("SCAN secrets USING COVERING INDEX secrets_1")
    assert not indexed("USE TEMP B-TREE FOR ORDER BY")


def test_connections_begin_at_different_places_of_the_same_script() -> None:
    script = [Exchange(b"%d" % number, b"") for number in range(8)]
    scripts = spread(script, 4)
    assert [one[0].request for one in scripts] == [b"0", b"2", b"4", b"6"]
    assert all(sorted(each.request for each in one) == sorted(each.request for each in script) for one in scripts)
