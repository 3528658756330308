"""What an intruder does, for tests of what must fail: takes another uid, edits storage files, speaks for a worker.

Everything runs in a forked process of its own, so that the test itself keeps its rights.
"""

import os
import pickle
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from secretsd.adapters import frames
from secretsd.adapters.keystore_process import messages as m
from secretsd.adapters.pkcs11.key_rows import digest
from secretsd.adapters.sqlite.codec import TABLES
from secretsd.adapters.sqlite.connections import Use, connect
from secretsd.domain.keys import WrappedKey
from secretsd.domain.records import RECORDS, Record, RecordAuthenticator, key_of

T = TypeVar("T")
_BUSY_MS = 10_000


class HungUp(Exception):
    """The other side closed the connection instead of answering."""


def as_user(uid: int, action: Callable[[], T]) -> T:
    """What `action` returns in a forked process of that uid and gid, without other groups; what it raises is raised."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reading)
            if os.geteuid() != uid:
                os.setgroups([])
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
            try:
                outcome: tuple[bool, Any] = (True, action())
            except Exception as error:  # noqa: BLE001  # the test decides what it thinks of it
                outcome = (False, error)
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(outcome, pipe)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    os.waitpid(pid, 0)
    if not data:
        raise RuntimeError("cannot act as the other user: the process ended without a word")
    done, result = pickle.loads(data)  # noqa: S301  # our own child wrote it
    if not done:
        raise result
    return result  # type: ignore[no-any-return]  # it is what action returned


class KeyStoreLine:
    """One connection to the keystore process's socket, call by call. HungUp when it ends instead of answering."""

    def __init__(self, path: Path | str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(30)
        self._socket.connect(str(path))
        self._unpacker = frames.Unpacker()
        self._number = 0

    def __enter__(self) -> "KeyStoreLine":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, kind: type[m.Call], *fields: Any) -> m.Answer:
        """The answer to one call."""
        self._number += 1
        return self.say(m.encode([kind(self._number, *fields)]))

    def say(self, body: bytes) -> m.Answer:
        """The first answer to a frame whose body is these bytes."""
        try:
            self._socket.sendall(len(body).to_bytes(4, "big") + body)
            while True:
                data = self._socket.recv(65536)
                if not data:
                    raise HungUp
                for found in self._unpacker.feed(data):
                    return m.decode_answers(found)[0]
        except (BrokenPipeError, ConnectionResetError):
            raise HungUp from None

    def load(self, key: WrappedKey) -> m.Answer:
        """Offer a key's row."""
        return self.ask(m.Load, m.KeyRow.of(key))

    def use(self, kind: type[m.Call], key: WrappedKey, account: str, purpose: int, context: Any, data: Any) -> m.Answer:
        """Use a key, offering its row first."""
        loaded = self.load(key)
        if isinstance(loaded, m.Failed):
            return loaded
        return self.ask(kind, digest(key), account, purpose, "intruder", context, data)

    def authenticator(self) -> RecordAuthenticator:
        """What a compromised worker can make: valid authenticators, for as long as it may ask for their key."""
        answer = self.ask(m.StorageKey)
        if not isinstance(answer, m.Done):
            raise TypeError("cannot get the storage key")
        return RecordAuthenticator(answer.value)


@dataclass(frozen=True, slots=True)
class StorageFiles:
    """The storage of a state directory as its owner on disk reaches it: with any SQLite, past the daemon."""

    state_dir: Path

    @property
    def uid(self) -> int:
        """Whose files they are."""
        return (self.state_dir / "storage" / "main.db").stat().st_uid

    def read(self, sql: str, *arguments: Any, file: str = "main.db") -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return as_user(self.uid, lambda: list(self._open(file).execute(sql, arguments)))

    def write(self, *statements: tuple[str, Sequence[Any]], told: Sequence[tuple[str, Sequence[str]]] = ()) -> int:
        """Run statements in one transaction; `told` are the rows that the change feed then names. Rows changed."""

        def edit() -> int:
            connection = self._open("main.db")
            with connection:
                before = connection.total_changes()
                for sql, arguments in statements:
                    connection.execute(sql, arguments)
                changed = int(connection.total_changes() - before)
                for table, key in told:
                    name = msgspec.json.encode(key).decode()
                    connection.execute("INSERT INTO changes (table_name, key) VALUES (?, ?)", (table, name))
            return changed

        return as_user(self.uid, edit)

    def record(self, kind: type[T], *key: Any) -> T:
        """A record by its key, believed as it stands."""
        about = TABLES[kind]
        where = " AND ".join(f"{name} = ?" for name in about.key)
        ((*row,),) = self.read(f"SELECT {about.columns} FROM {about.name} WHERE {where}", *key)  # noqa: S608
        return about.record(row)  # type: ignore[return-value]  # the table's kind is the one asked for

    def put(self, authenticator: RecordAuthenticator, *records: Record) -> None:
        """Store records with valid authenticators, as a worker of a later release would."""
        statements = []
        for record in records:
            about = TABLES[type(record)]
            marks = ", ".join("?" * (len(about.columns.split(", "))))
            sql = f"INSERT OR REPLACE INTO {about.name} ({about.columns}) VALUES ({marks})"  # noqa: S608
            statements.append((sql, about.row(record, authenticator.mac(record))))
        self.write(*statements, told=[(RECORDS[type(one)].table, key_of(one)) for one in records])

    def _open(self, file: str) -> Any:
        return connect(self.state_dir / "storage" / file, Use.WRITE_DURABLY, _BUSY_MS)


def next_revision(record: T, **changes: Any) -> T:
    """A record changed as the daemon changes it: its revision one higher."""
    return replace(record, revision=record.revision + 1, **changes)  # type: ignore[type-var,attr-defined]  # a Record
