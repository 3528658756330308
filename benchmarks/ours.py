"""The daemon under measurement: `secretsd dev` with a user that may read and write the benchmark's secrets."""

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.load import Exchange, http
from secretsd.testing.daemon import Daemon, secret_path
from secretsd.testing.daemon import running as running_daemon
from secretsd.testing.policies import document

_METRIC = re.compile(r"^(secretsd_[a-z_]+)(?:\{[^}]*\})? ([0-9.e+]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Ours:
    """A running daemon and the token of a user with one small policy, like the peer's."""

    daemon: Daemon
    token: str

    def read(self, name: str, value: str) -> Exchange:
        """Reading a secret by token, and the value that must come back."""
        request = http("GET", secret_path(name, "value"), [("Authorization", f"Bearer {self.token}")])
        return Exchange(request, b'"text":' + json.dumps(value).encode())

    def write(self, name: str, body: bytes, first: int) -> Exchange:
        """Storing numbered values in a secret; the answer must tell the next version."""
        headers = [("Authorization", f"Bearer {self.token}"), ("Content-Type", "application/json")]
        request = http("PUT", secret_path(name, "value"), headers, b'{"text":"' + body + b'"}')
        return Exchange(request, b'"number":{number},', first)

    def make_key(self, spec: str, usage: str) -> str:
        """A CMK; its id."""
        answered = self.daemon.call("POST", "/v1/keys", {"spec": spec, "usage": usage})
        return str(require(answered)["id"])

    def post(self, path: str, body: Mapping[str, Any], expected: bytes) -> Exchange:
        """A request with a JSON body by token, and bytes that its answer must hold."""
        headers = [("Authorization", f"Bearer {self.token}"), ("Content-Type", "application/json")]
        return Exchange(http("POST", path, headers, json.dumps(body).encode()), expected)

    def create(self, values: Mapping[str, str | None]) -> None:
        """Make secrets, each with its value, if it is to have one yet."""
        connection = self.daemon.connect()
        for name, value in values.items():
            body = {"name": name} if value is None else {"name": name, "text": value}
            require(self.daemon.call("POST", "/v1/secrets", body, connection=connection))
        connection.close()


def require(answered: Any) -> Any:
    """The body of an answer that succeeded; RuntimeError for any other."""
    if answered.status != 200:
        raise RuntimeError(f"cannot set the daemon up: it answered {answered.status} {answered.body}")
    return answered.body


@contextlib.contextmanager
def running(state_dir: Path, **settings: Any) -> Iterator[Ours]:
    """A daemon with its state in a directory, stopped with the block. `settings` are those of secretsd.yaml."""
    with running_daemon(state_dir, settings=settings) as daemon:
        yield Ours(daemon, reader_token(daemon))


def reader_token(daemon: Daemon) -> str:
    """A token of a new user who may read and write values below bench/, and use keys."""
    values = {
        "effect": "Allow",
        "action": ["GetSecretValue", "PutSecretValue", "DescribeSecret"],
        "resource": ["secret/bench/*"],
    }
    keys = {"effect": "Allow", "action": ["Encrypt", "Decrypt", "GenerateDataKey", "Sign"], "resource": ["key/*"]}
    require(daemon.call("POST", "/v1/policies", {"policy": "bench", "document": document(values, keys)}))
    require(daemon.call("POST", "/v1/users", {"user": "bench"}))
    require(daemon.call("POST", "/v1/users/bench:attach-policy", {"policy": "bench"}))
    return str(require(daemon.call("POST", "/v1/users/bench:create-token", {}))["token"])


def metrics(text: str) -> dict[str, float]:
    """Prometheus's text form as numbers by name, samples of one name with different labels added up."""
    found: dict[str, float] = {}
    for name, value in _METRIC.findall(text):
        found[name] = found.get(name, 0.0) + float(value)
    return found
