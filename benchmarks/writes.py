"""PutSecretValue, durable, against OpenBao's KV write: writes a second, CPU, and fsyncs for one write."""

import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from benchmarks import openbao, ours
from benchmarks.figures import Figure, at_least, at_most
from benchmarks.load import NUMBER, Exchange, Order, Outcome, send
from benchmarks.options import Options
from benchmarks.ours import Ours, require
from benchmarks.reads import middle
from secretsd.testing.daemon import secret_path

CONNECTIONS = 16
_PADDING = "v" * 52
_COUNTED = re.compile(r"^\s*\d[\d.]*\s+[\d.]+\s+\d+\s+(\d+)\s.*\b(?:fsync|fdatasync)$", re.MULTILINE)


def run(options: Options) -> list[Figure]:
    """Rounds A B A B; every connection has secrets of its own, new in every round: only disk and CPU are fought for."""
    peer: list[Outcome] = []
    our: list[Outcome] = []
    body = _PADDING.encode() + NUMBER
    with (
        openbao.running(options.directory / "openbao-writes") as bao,
        ours.running(options.directory / "writes") as mine,
    ):
        for number in range(options.rounds):
            names = _names(options, number)
            scripts = [[bao.write(name, body, 1) for name in each] for each in names]
            peer.append(_send(options, bao.socket, bao.pid, scripts))
            mine.create({name: None for each in names for name in each})
            our.append(_send(options, mine.daemon.socket, mine.daemon.pid, _scripts(mine, names)))
            _check_stored(mine, [each[0] for each in names])
        names = _names(options, options.rounds)
        mine.create({name: None for each in names for name in each})
        counted = _syncs(options, mine, _scripts(mine, names))
    ratio = middle(our, "rate") / middle(peer, "rate")
    return [
        Figure("write, Unix 16: rate of OpenBao, ours", f"{middle(peer, 'rate'):,.0f}/s, {middle(our, 'rate'):,.0f}/s"),
        at_least("write, Unix 16: rate in parts of OpenBao's", ratio, 3.0),
        Figure("write, Unix 16: CPU-s per 1,000 of OpenBao", f"{middle(peer, 'cpu_per_thousand'):.3f}"),
        Figure("write, Unix 16: CPU-s per 1,000", f"{middle(our, 'cpu_per_thousand'):.3f}"),
        Figure(
            "write, Unix 16: p99 of OpenBao, ours", f"{middle(peer, 'p99_ms'):.1f} ms, {middle(our, 'p99_ms'):.1f} ms"
        ),
        *counted,
    ]


def _names(options: Options, number: int) -> list[list[str]]:
    return [[f"bench/w{number}-{one}-{two}" for two in range(options.secrets // 8)] for one in range(CONNECTIONS)]


def _scripts(mine: Ours, names: list[list[str]]) -> list[list[Exchange]]:
    body = _PADDING.encode() + NUMBER
    return [[mine.write(name, body, 1) for name in each] for each in names]


def _check_stored(mine: Ours, names: list[str]) -> None:
    """Read back what was answered: the value carries the number of its version."""
    for name in names:
        found = require(mine.daemon.call("GET", secret_path(name, "value")))
        if found["text"] != f"{_PADDING}{found['number']:012d}":
            raise RuntimeError(f"cannot count the round: {name} does not hold what was written last")


def _send(options: Options, address: str, pid: int, scripts: list[list[Exchange]]) -> Outcome:
    return send(
        Order(
            address=address,
            connections=CONNECTIONS,
            scripts=scripts,
            seconds=options.seconds,
            warm_up_seconds=options.warm_up_seconds,
            pids=[pid],
        )
    )


def _syncs(options: Options, mine: Ours, scripts: list[list[Exchange]]) -> list[Figure]:
    """What a write costs of the disk: by the storage's own count of commits, and by strace where that is installed."""
    before = _statistics(mine)
    tracer = _trace(mine.daemon.children("worker"), options.directory / "strace.txt")
    try:
        _send(options, mine.daemon.socket, mine.daemon.pid, scripts)
    finally:
        if tracer is not None:
            tracer.send_signal(signal.SIGINT)
            tracer.wait(30)
    after = _statistics(mine)
    writes = after["secretsd_storage_units_total"] - before["secretsd_storage_units_total"]
    commits = after["secretsd_storage_unit_batches_total"] - before["secretsd_storage_unit_batches_total"]
    figures = [at_most("write, Unix 16: durable commits for one write", commits / writes, 0.99)]
    if tracer is not None:
        found = sum(map(int, _COUNTED.findall((options.directory / "strace.txt").read_text())))
        figures.append(at_most("write, Unix 16: fsync calls for one write, counted by strace", found / writes, 0.99))
    return figures


def _statistics(mine: Ours) -> dict[str, float]:
    answered = mine.daemon.call("GET", "/metrics")
    return ours.metrics(answered.body.decode())


def _trace(pids: list[int], output: Path) -> "subprocess.Popen[bytes] | None":
    strace = shutil.which("strace")
    if strace is None:
        return None
    command = [strace, "-f", "-c", "-e", "trace=fsync,fdatasync", "-o", str(output)]
    for pid in pids:
        command += ["-p", str(pid)]
    tracer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while not all(_traced(pid) for pid in pids) and tracer.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return tracer if tracer.poll() is None else None


def _traced(pid: int) -> bool:
    return "TracerPid:\t0\n" not in Path(f"/proc/{pid}/status").read_text()
