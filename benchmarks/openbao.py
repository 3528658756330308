"""The peer: a real OpenBao server with raft storage, file audit and KV version 2, and a token that may do just this."""

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.load import Exchange
from benchmarks.load import http as request_bytes
from secretsd.testing.daemon import UnixHTTPConnection

START_SECONDS = 60.0
_CONFIGURATION = """
storage "raft" {{
  path = "{directory}/raft"
  node_id = "one"
}}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{cluster_port}"
  tls_disable = true
}}
listener "unix" {{
  address = "{directory}/bao.sock"
}}
audit "file" "to-file" {{
  options {{
    file_path = "{directory}/audit.log"
  }}
}}
api_addr = "http://127.0.0.1:{port}"
cluster_addr = "https://127.0.0.1:{cluster_port}"
log_level = "warn"
"""
# The policy `default` would be looked through at every request as well and double its cost.
_POLICY = """
path "kv/*" { capabilities = ["create", "read", "update"] }
path "transit/*" { capabilities = ["create", "read", "update"] }
"""


class OpenBao:
    """A running server. `token` may read and write below kv/, use keys below transit/, and nothing else."""

    def __init__(self, directory: Path, process: "subprocess.Popen[bytes]", port: int) -> None:
        self.pid = process.pid
        self.socket = str(directory / "bao.sock")
        self.address = ("127.0.0.1", port)
        self.token = ""
        self._root = ""

    def set_up(self) -> None:
        """Initialise, unseal, mount and make the token."""
        made = self.call("PUT", "/v1/sys/init", {"secret_shares": 1, "secret_threshold": 1})
        self._root = made["root_token"]
        self.call("PUT", "/v1/sys/unseal", {"key": made["keys"][0]})
        self._wait_for_leadership()
        self.call("POST", "/v1/sys/mounts/kv", {"type": "kv", "options": {"version": "2"}})
        self.call("PUT", "/v1/sys/policies/acl/bench", {"policy": _POLICY})
        wanted = {"policies": ["bench"], "no_default_policy": True, "no_parent": True, "ttl": "24h"}
        self.token = self.call("POST", "/v1/auth/token/create", wanted)["auth"]["client_token"]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request as root; RuntimeError unless it succeeds."""
        connection = UnixHTTPConnection(self.socket)
        try:
            headers = {"X-Vault-Token": self._root} if self._root else {}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if answer.status >= 300:
            raise RuntimeError(f"cannot set OpenBao up: {method} {path} answered {answer.status}")
        return json.loads(data) if data else None

    def put(self, name: str, value: str) -> None:
        """Store a value; again until the engine, which upgrades itself just after it was mounted, takes it."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.call("POST", f"/v1/kv/data/{name}", {"data": {"value": value}})
                return
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def make_key(self, name: str, kind: str) -> None:
        """A key of the transit engine, which is mounted with the first one."""
        mounted: dict[str, Any] = self.call("GET", "/v1/sys/mounts")
        if "transit/" not in mounted:
            self.call("POST", "/v1/sys/mounts/transit", {"type": "transit"})
        self.call("POST", f"/v1/transit/keys/{name}", {"type": kind})

    def transit(self, path: str, body: dict[str, Any], expected: bytes) -> Exchange:
        """A request to the transit engine, and bytes that its answer must hold."""
        headers = [("X-Vault-Token", self.token), ("Content-Type", "application/json")]
        return Exchange(request_bytes("POST", f"/v1/transit/{path}", headers, json.dumps(body).encode()), expected)

    def read(self, name: str, value: str) -> Exchange:
        """Reading a secret, and the value that must come back."""
        request = request_bytes("GET", f"/v1/kv/data/{name}", [("X-Vault-Token", self.token)])
        return Exchange(request, b'"value":"' + value.encode() + b'"')

    def write(self, name: str, body: bytes, first: int) -> Exchange:
        """Writing numbered values to a secret; the answer must tell the next version."""
        headers = [("X-Vault-Token", self.token), ("Content-Type", "application/json")]
        request = request_bytes("PUT", f"/v1/kv/data/{name}", headers, b'{"data":{"value":"' + body + b'"}}')
        return Exchange(request, b'"version":{number}', first)

    def _wait_for_leadership(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(RuntimeError):
                if self.call("GET", "/v1/sys/leader").get("is_self"):
                    return
            if time.monotonic() > deadline:
                raise RuntimeError("cannot set OpenBao up: it does not become active")
            time.sleep(0.05)


@contextlib.contextmanager
def running(directory: Path) -> Iterator[OpenBao]:
    """A server with its state in a directory, ended with the block."""
    (directory / "raft").mkdir(parents=True)
    port, cluster_port = _free_port(), _free_port()
    configuration = directory / "bao.hcl"
    configuration.write_text(_CONFIGURATION.format(directory=directory, port=port, cluster_port=cluster_port))
    command = [str(Path(sys.executable).parent / "bao"), "server", f"-config={configuration}"]
    with (directory / "bao.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        server = OpenBao(directory, process, port)
        _wait_for_socket(server, process, directory / "bao.log")
        server.set_up()
        yield server
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_socket(server: OpenBao, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(server.socket)
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("cannot start OpenBao:\n" + log.read_text()[-2000:])
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
