"""What is stored at this instant, seen through a connection of its own: nothing that a node has only in memory."""

from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from secretsd.adapters.sqlite.codec import TABLES, Codec
from secretsd.adapters.sqlite.connections import AUDIT, MAIN, Row, Use, connect, fetch
from secretsd.domain.keys import WrappedKey
from secretsd.domain.rotation import Rotation, RotationStep
from secretsd.domain.secrets import SealedValue, Secret
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.sealing import Sealer
from secretsd.testing.storage import authenticator

_BUSY_MS = 1_000
T = TypeVar("T")
_TABLES: dict[type, Any] = {kind: TABLES[kind] for kind in (Secret, Rotation, RotationStep, SealedValue, WrappedKey)}


@dataclass(frozen=True, slots=True)
class Stored:
    """The secret under test and its rotation; `history` is its last entry. `versions` are the ids that have a value."""

    secret: Secret
    rotation: Rotation
    history: RotationStep | None
    steps: int
    versions: frozenset[str]


class Durable:
    """Reads the files of a case. `of` is the secret's name, the only one there."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._name = name
        self._codec = Codec(authenticator())
        self.reopen()

    def reopen(self) -> None:
        """Look at the files that are there now, which may be others than before."""
        self._connection = connect(self._directory / MAIN, Use.READ, _BUSY_MS)
        self._seen = -1
        self._stored: Stored | None = None

    def look(self) -> Stored:
        """What is stored now; the same object as before while nothing was committed."""
        version = int(fetch(self._connection, "PRAGMA data_version")[0][0])
        if self._stored is None or version != self._seen:
            self._stored, self._seen = self._read(), version
        return self._stored

    def sealed(self, secret: Secret, version_id: str) -> SealedValue | None:
        """A version's sealed value; None where there is none."""
        found = self._rows(SealedValue, "secret_id = ?1 AND version_id = ?2", secret.id, version_id)
        return self._codec.decode(SealedValue, found[0]) if found else None

    def opened(self, sealer: Sealer, sealed: SealedValue) -> Plaintext:
        """What a sealed value holds, opened with the key of its account, of which these storages have one."""
        row = self._rows(WrappedKey, "account = ?1", sealed.account)[0]
        key = self._codec.decode(WrappedKey, row)
        return Plaintext(at_once(sealer.open(key, sealed, "simulator")))

    def steps(self) -> list[RotationStep]:
        """The whole history, the oldest first."""
        found = [self._codec.decode(RotationStep, row) for row in self._rows(RotationStep, "1 = 1")]
        return sorted(found, key=lambda step: step.number)

    def events(self) -> list[bytes]:
        """Every event of both files."""
        events = [row[0] for row in fetch(self._connection, "SELECT data FROM events")]
        audit = connect(self._directory / AUDIT, Use.READ, _BUSY_MS)
        try:
            events += [row[0] for row in fetch(audit, "SELECT data FROM events")]
        finally:
            audit.close()
        return events

    def close(self) -> None:
        """Let go of the files."""
        self._connection.close()

    def _rows(self, kind: type, where: str, *arguments: str) -> list[Row]:
        table = _TABLES[kind]
        sql = f"SELECT {table.columns} FROM {table.name} WHERE {where}"  # noqa: S608  # names of ours
        return fetch(self._connection, sql, arguments)

    def _read(self) -> Stored:
        secret = self._codec.decode(Secret, self._rows(Secret, "name = ?1", self._name)[0])
        rotation = self._codec.decode(Rotation, self._rows(Rotation, "secret_id = ?1", secret.id)[0])
        last = self._rows(RotationStep, "secret_id = ?1 ORDER BY number DESC LIMIT 1", secret.id)
        count = fetch(self._connection, "SELECT count(*) FROM rotation_steps WHERE secret_id = ?1", (secret.id,))
        versions = fetch(self._connection, "SELECT version_id FROM secret_values WHERE secret_id = ?1", (secret.id,))
        history = self._codec.decode(RotationStep, last[0]) if last else None
        return Stored(secret, rotation, history, int(count[0][0]), frozenset(str(row[0]) for row in versions))


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that has nothing to wait for; RuntimeError when it waits after all."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    raise RuntimeError("cannot look at once: there is something to wait for")


def known(stored: Stored) -> Mapping[str, str]:
    """The versions that the engine would look at by itself, by id, and why."""
    found = dict.fromkeys(stored.rotation.kept, "kept")
    found |= {version_id: stage for stage, version_id in stored.secret.stages.items()}
    if stored.rotation.pending_version is not None:
        found[stored.rotation.pending_version] = "candidate"
    return {version_id: why for version_id, why in found.items() if version_id in stored.versions}
