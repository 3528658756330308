"""A served host whose root the test knows: it is the operator, and opens the recovery wrap of every generation."""

import base64
import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from secretsd.adapters.sqlite.codec import TABLES
from secretsd.domain.keys import WrappedKey
from secretsd.testing import key_shapes
from secretsd.testing.daemon import Daemon
from secretsd.testing.intruder import StorageFiles
from secretsd.testing.memory_scan import Needle, family, open_files
from tests.acceptance.hsm_hosts import COMMAND, Host, done
from tests.acceptance.wire import wait_for

UIDS = {os.getuid(), 61701, 61702, 61703}


@dataclass(frozen=True)
class Root:
    """A generation of the root, in clear."""

    kek: bytes = field(repr=False)
    mac_key: bytes = field(repr=False)

    def needles(self, name: str) -> Iterator[Needle]:
        yield from key_shapes.secret(f"the root KEK {name}", self.kek)
        yield from key_shapes.secret(f"the root's MAC key {name}", self.mac_key)


class Operator:
    """Who keeps the recovery key, off the host."""

    def __init__(self, directory: Path) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
        self.public = directory / "operator.pub.pem"
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        self.public.write_bytes(self._key.public_key().public_bytes(serialization.Encoding.PEM, form))

    def open(self, document: Path) -> tuple[str, Root]:
        """The id of the generation whose recovery wrap that is, and its keys."""
        wrap = json.loads(document.read_text())["recovery"]
        chosen = hashes.SHA1() if "SHA1" in wrap["mechanism"] else hashes.SHA256()
        way = padding.OAEP(padding.MGF1(chosen), chosen, None)
        kek, mac_key = (self._key.decrypt(base64.b64decode(wrap[name]), way) for name in ("kek", "mac_key"))
        return wrap["kek_id"], Root(kek, mac_key)


class ServedHost(Daemon):
    """`secretsd serve` on a host with two workers, whose root generations are all known."""

    def __init__(self, directory: Path) -> None:
        self.operator = Operator(directory)
        self.host = Host(directory / "host")
        config = yaml.safe_load(self.host.config.read_text())
        rotation = {"rotators": ["postgresql", "random"], "min_interval_seconds": 1, "min_grace_seconds": 0}
        self.host.config.write_text(yaml.safe_dump(config | {"workers": 2, "rotation": rotation}))
        super().__init__(self.host.directory / "state")
        self.socket = str(self.host.socket)
        self.roots: dict[str, Root] = {}
        self._make("init")
        ran = subprocess.run([*COMMAND, "init", "--config", str(self.host.config)], capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr

    def start(self, seconds: float = 60.0) -> "ServedHost":
        """Serve; all that is written goes to the log."""
        with self.log.open("a") as log:
            command = [*COMMAND, "serve", "--config", str(self.host.config)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, text=True)
        try:
            wait_for("the daemon", self._serves, seconds)
        except AssertionError as error:
            self.kill()
            raise AssertionError(f"{error}:\n{self.log.read_text()[-2000:]}") from None
        return self

    def rotate_root(self) -> None:
        """A new generation, and every key version under it."""
        old = set(self.roots)
        self._make("rotate-root", so=True)

        def moved() -> bool:
            told = must(self, "GET", "/v1/root-keys")["roots"]
            return all(root.get("key_versions") == 0 for root in told if root["kek_id"] in old)

        wait_for("all keys under the new root", moved, 60)

    def wrapped_keys(self) -> list[WrappedKey]:
        """Every key version that is stored."""
        table = TABLES[WrappedKey]
        rows = StorageFiles(self.state_dir).read(f"SELECT {table.columns} FROM {table.name}")
        return [table.record(row) for row in rows]  # type: ignore[misc]  # the table's kind is the one asked for

    def sealed_storage_key(self) -> Any:
        """The file that keeps the key of the storage's rows: a CMK of its own, and the ciphertext under it."""
        return json.loads((self.state_dir / "keystore" / "storage-key.sealed").read_text())

    def files(self) -> list[Path]:
        """All that the daemon may have written: directories, log, shared memory, cores, and files that it has open."""
        processes = [] if self._process is None else family(self.pid)
        found = [path for path in self.host.directory.rglob("*") if path.is_file()]
        for path in Path("/dev/shm").rglob("*"):
            with contextlib.suppress(OSError):  # somebody else's, gone meanwhile
                if path.is_file() and path.stat().st_uid in UIDS:
                    found.append(path)
        for directory in {Path.cwd(), *(Path(f"/proc/{pid}/cwd").resolve() for pid in processes)}:
            found += [path for path in directory.glob("core*") if path.is_file()]
        return [*found, *(path for pid in processes for path in open_files(pid))]

    @contextlib.contextmanager
    def connections(self) -> Iterator[list[HTTPConnection]]:
        """A connection to each of the workers."""
        chosen: dict[int, HTTPConnection] = {}
        with contextlib.ExitStack() as stack:
            for _ in range(200):
                before = {pid: sockets(pid) for pid in self.children("worker")}
                if len(chosen) == len(before):
                    break
                connection = stack.enter_context(contextlib.closing(self.connect()))
                must(self, "GET", "/v1/caller-identity", connection=connection)
                taken = [pid for pid, known in before.items() if sockets(pid) - known]
                if len(taken) == 1:
                    chosen.setdefault(taken[0], connection)
            assert len(chosen) == len(self.children("worker")), "one worker gets all connections"
            yield list(chosen.values())

    def _serves(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "the daemon has ended"
        try:
            return self.call("GET", "/v1/health").status == 200
        except OSError:
            return False

    def _make(self, command: str, *, so: bool = False) -> None:
        output = self.host.directory / f"{command}.json"
        done(
            self.host.run(
                command, "--recovery-public-key", str(self.operator.public), "--output", str(output), so=so
            )
        )  # fmt: skip
        kek_id, root = self.operator.open(output)
        self.roots[kek_id] = root
        if not so:
            self.host.keep_so_pin(output)
        output.unlink()


def sockets(pid: int) -> set[str]:
    """The sockets that a process has open."""
    found = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.add(os.readlink(fd))
        except FileNotFoundError:
            continue
    return {one for one in found if one.startswith("socket:")}


def must(daemon: Daemon, method: str, path: str, body: Any = None, **options: Any) -> Any:
    """The body of an answer that must be good."""
    answered = daemon.call(method, path, body, **options)
    assert answered.status == 200, (method, path, answered.body)
    return answered.body
