"""How long reads are held while a password of one login changes in a real PostgreSQL, and how long a rotation takes."""

import threading
import time
from dataclasses import dataclass
from typing import Any

from benchmarks import ours
from benchmarks.figures import Figure, at_most, percentile
from benchmarks.options import Options
from benchmarks.ours import Ours
from secretsd.testing.daemon import secret_path
from secretsd.testing.postgres import PostgresServer, postgres

SECRET = "bench/rotated"
READERS = 16
MOST_HELD_MS = 1_500.0
ROTATIONS_A_SECOND = 2.0


@dataclass(slots=True)
class Read:
    """One answered read, in seconds on the monotonic clock."""

    began: float
    ended: float


class Reader:
    """Reads the secret as fast as it is answered, over a connection of its own."""

    def __init__(self, mine: Ours) -> None:
        self.reads: list[Read] = []
        self.refused = 0
        self._mine = mine
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the read that is under way."""
        self._stop.set()
        self._thread.join()

    def held_ms(self, began: float, ended: float) -> float:
        """The longest read that was under way in that time."""
        return max((one.ended - one.began) * 1000 for one in self.reads if one.ended > began and one.began < ended)

    def _run(self) -> None:
        connection = self._mine.daemon.connect(tcp=False)
        while not self._stop.is_set():
            began = time.monotonic()
            answered = self._mine.daemon.call("GET", secret_path(SECRET, "value"), connection=connection)
            self.refused += answered.status != 200
            self.reads.append(Read(began, time.monotonic()))
        connection.close()


def run(options: Options) -> list[Figure]:
    """Rotations one after the other, under readers and without."""
    with postgres() as server, ours.running(options.directory / "rotated") as mine:
        _prepare(mine, server)
        count = max(3, round(options.rounds * options.seconds * ROTATIONS_A_SECOND / 2))
        alone = [_rotated(mine) for _ in range(count)]
        readers = [Reader(mine) for _ in range(READERS)]
        for reader in readers:
            reader.start()
        under = [_rotated(mine) for _ in range(count)]
        for reader in readers:
            reader.stop()
    held = sorted(reader.held_ms(began, ended) for began, ended in under for reader in readers)
    refused = sum(reader.refused for reader in readers)
    return [
        Figure("rotations: one of one login, p50, max", _two(alone)),
        Figure(f"rotations: the same under {READERS} readers, p50, max", _two(under)),
        Figure("rotations: reads held, p50, p99", f"{percentile(held, 0.5):.0f} ms, {percentile(held, 0.99):.0f} ms"),
        at_most("rotations: reads held, the longest", held[-1], MOST_HELD_MS, " ms"),
        at_most("rotations: reads that were told to come again", refused, 0),
    ]


def _prepare(mine: Ours, server: PostgresServer) -> None:
    server.sql("CREATE ROLE rotated LOGIN")
    account = mine.daemon.call("GET", "/v1/caller-identity").body["account"]
    target = {
        "target": "bench", "rotator": "postgresql", "admin_login": "postgres", "admin_password": server.password,
        "address": {"host": "127.0.0.1", "port": server.port, "tls": "off"}, "logins": {account: ["rotated"]},
    }  # fmt: skip
    rotation = {"rotator": "postgresql", "target": "bench", "logins": ["rotated"]}
    for path, body in (("/v1/targets", target), ("/v1/secrets", {"name": SECRET})):
        _must(mine, "POST", path, body)
    _must(mine, "POST", secret_path(SECRET, "rotate"), rotation)
    _until_rotated(mine, None)


def _rotated(mine: Ours) -> tuple[float, float]:
    """Rotate now; when it was asked for and when it was seen to be done."""
    before = _must(mine, "GET", secret_path(SECRET))["rotation"].get("last_rotated_ms")
    began = time.monotonic()
    _must(mine, "POST", secret_path(SECRET, "rotate"), {})
    _until_rotated(mine, before)
    return began, time.monotonic()


def _until_rotated(mine: Ours, before: int | None) -> None:
    end = time.monotonic() + 30
    while _must(mine, "GET", secret_path(SECRET))["rotation"].get("last_rotated_ms") == before:
        if time.monotonic() > end:
            raise RuntimeError("cannot measure: a rotation did not end")
        time.sleep(0.01)


def _must(mine: Ours, method: str, path: str, body: object = None) -> dict[str, Any]:
    answered = mine.daemon.call(method, path, body)
    if answered.status != 200:
        raise RuntimeError(f"cannot measure: {method} {path} answered {answered.status} {answered.kind}")
    found: dict[str, Any] = answered.body
    return found


def _two(spans: list[tuple[float, float]]) -> str:
    took = sorted((ended - began) * 1000 for began, ended in spans)
    return f"{percentile(took, 0.5):.0f} ms, {took[-1]:.0f} ms"
