"""A real daemon for the promises of a file, and what its adversaries know about it."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from secretsd.adapters.keystore_process import messages as m
from secretsd.domain.credentials import Token
from secretsd.domain.key_specs import KeySpec, KeyUsage
from secretsd.domain.keys import CMK, KeyOrigin, KeyOwner, KeyState, ProtectionLevel
from secretsd.domain.policy import Effect, Policy, Statement
from secretsd.domain.principals import Account, User
from secretsd.domain.records import RecordAuthenticator
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.authenticator import token_digest
from secretsd.testing.daemon import Answered, Daemon, secret_path
from secretsd.testing.intruder import KeyStoreLine, StorageFiles, as_user
from secretsd.testing.policies import document

WORKER, KEYSTORE, ROTATOR, NOBODY = 61701, 61702, 61703, 65534
OTHER_ACCOUNT = "200000000002"
OTHER_TOKEN = "secretsd_" + "0" * 43


class Target:
    """A running daemon as its adversaries see it, and its administrator's hands to prepare what they attack."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.files = StorageFiles(daemon.state_dir)
        self.keystore_socket = daemon.state_dir / "run" / "keystore.sock"
        self._read = 0

    @property
    def account(self) -> str:
        return str(self.daemon.call("GET", "/v1/caller-identity").body["account"])

    def ok(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """The body of an answer that must be good."""
        answer = self.daemon.call(method, path, body, **options)
        assert answer.status == 200, (method, path, answer)
        return answer.body

    def create(self, name: str, text: str, **fields: Any) -> Any:
        return self.ok("POST", "/v1/secrets", {"name": name, "text": text, **fields})

    def get(self, name: str, token: str | None = None, **query: Any) -> Answered:
        return self.daemon.call("GET", secret_path(name, "value"), query=query, token=token)

    def user(self, name: str, *statements: dict[str, Any]) -> str:
        """The token of a new user who may do what the statements say."""
        self.ok("POST", "/v1/users", {"user": name})
        if statements:
            self.ok("POST", "/v1/policies", {"policy": f"of-{name}", "document": document(*statements)})
            self.ok("POST", f"/v1/users/{name}:attach-policy", {"policy": f"of-{name}"})
        return str(self.ok("POST", f"/v1/users/{name}:create-token", {})["token"])

    def logged(self) -> str:
        """What was logged since the last look."""
        text = self.daemon.log.read_text()
        new, self._read = text[self._read :], len(text)
        return new

    def as_worker(self, action: Any) -> Any:
        return as_user(WORKER, action)

    def line(self, action: Any) -> Any:
        """What `action` gets out of a connection to the keystore process, made as the worker's uid."""
        return as_user(WORKER, lambda: action(KeyStoreLine(self.keystore_socket)))

    def authenticator(self) -> RecordAuthenticator:
        """What only a worker has: it makes the records of operations that a later release brings."""
        answer = self.line(lambda line: line.ask(m.StorageKey))
        return RecordAuthenticator(answer.value)

    def second_account(self) -> str:
        """Make another account whose administrator holds OTHER_TOKEN; its id."""
        made = self.line(
            lambda line: line.ask(
                m.GenerateKey,
                OTHER_ACCOUNT,
                "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",
                1,
                KeySpec.AES_256,
                KeyUsage.ENCRYPT_DECRYPT,
                KeyOrigin.HSM,
                ProtectionLevel.HSM,
            )
        ).row.key()
        kind = (KeySpec.AES_256, KeyUsage.ENCRYPT_DECRYPT, KeyOrigin.HSM, ProtectionLevel.HSM, KeyOwner.SERVICE)
        everything = Statement(Effect.ALLOW, ("*",), ("*",))
        self.files.put(
            self.authenticator(),
            made,
            CMK(OTHER_ACCOUNT, made.key_id, KeyState.ENABLED, *kind, "", 1, 1),
            Account(OTHER_ACCOUNT, "other", made.key_id, 1),
            Policy(OTHER_ACCOUNT, "all", (everything,), "", 1),
            User(OTHER_ACCOUNT, "boss", 1, ("all",)),
            Token(token_digest(Plaintext(OTHER_TOKEN.encode())), "t-other", OTHER_ACCOUNT, "boss", 1, None),
        )
        return OTHER_ACCOUNT


@pytest.fixture(scope="module")
def state_path() -> Iterator[Path]:
    """Like `passable_path`, for all tests of a file."""
    path = Path(tempfile.mkdtemp(prefix="secretsd-promise-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def target(state_path: Path, request: pytest.FixtureRequest) -> Iterator[Target]:
    """A daemon; a module's SETTINGS are its settings."""
    daemon = Daemon(state_path / "state", settings=getattr(request.module, "SETTINGS", None))
    try:
        yield Target(daemon.start())
    finally:
        daemon.stop()
