"""One-shot children: their status and output, within a deadline and a bound."""

import json
import os
import time
from pathlib import Path

import pytest

from secretsd.supervisor import ChildSpec, run_once


def spec(program, configuration=b"", **fields):
    return ChildSpec(
        "once", ("/usr/bin/python3", "-I", "-c", program), os.getuid(), os.getgid(), configuration, **fields
    )


@pytest.mark.parametrize(
    ("ending", "status"), [("", 0), ("raise SystemExit(78)", 78), ("os.kill(os.getpid(), 9)", 137)]
)
def test_status_and_output_come_back(ending, status):
    program = f"import os, sys; print(sys.stdin.read().upper(), flush=True); {ending or 'pass'}"
    assert run_once(spec(program, b"given")) == (status, b"GIVEN\n")


def test_it_has_standard_descriptors_and_a_control_channel_only():
    program = "import json, os; print(json.dumps(sorted(os.listdir('/proc/self/fd'))))"
    status, output = run_once(spec(program))
    assert (status, json.loads(output)) == (0, ["0", "1", "2", "3", "4"])  # 4 is the listing's own


@pytest.mark.needs_root
def test_it_drops_its_uid():
    status, output = run_once(
        ChildSpec("once", ("/usr/bin/python3", "-I", "-c", "import os; print(os.getresuid())"), 65534, 65534, b"")
    )
    assert (status, output) == (0, b"(65534, 65534, 65534)\n")


@pytest.mark.parametrize("closing", ["pass", "os.close(1)"])
def test_past_its_deadline_it_is_killed_with_all_that_it_started(tmp_path, closing):
    pids = tmp_path / "pids"
    program = (
        "import os, subprocess, time; "
        "other = subprocess.Popen(['/bin/sleep', '3600'], stdout=subprocess.DEVNULL); "
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{other.pid}}'); {closing}; time.sleep(3600)"
    )
    before = time.monotonic()
    with pytest.raises(TimeoutError, match="cannot finish once within 2 s"):
        run_once(spec(program), 2)
    assert time.monotonic() - before < 60
    for pid in pids.read_text().split():
        stat = Path(f"/proc/{pid}/stat")
        deadline = time.monotonic() + 30
        while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_endless_output_is_refused():
    with pytest.raises(OverflowError, match="cannot take the output of once"):
        run_once(spec("import sys\nwhile True: sys.stdout.write('x' * 65536)"), 60)


def test_nothing_stays_open():
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        run_once(spec("pass"))
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("argv", [(), ("python3",), ("./here",)])
def test_a_program_is_named_by_its_whole_path(argv):
    with pytest.raises(ValueError, match="no absolute path"):
        ChildSpec("once", argv, 0, 0, b"")


def test_a_configuration_over_the_limit_is_refused_and_never_shown():
    with pytest.raises(ValueError, match="over the limit"):
        ChildSpec("once", ("/bin/true",), 0, 0, b"x" * (1024 * 1024 + 1))
    assert "s3cret" not in repr(ChildSpec("once", ("/bin/true",), 0, 0, b"s3cret"))
