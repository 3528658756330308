"""Canaries: values that tests gave a daemon are looked for wherever no value may be (DESIGN 1, promise 2).

Whoever watches hears of each daemon that is started, each value that is sent or served, each answer that is an error.
While a daemon runs, the arguments and environments of its processes are searched; once it has ended, every file below
its state directory and its log. The administrator's token may stand in admin.env and the PIN in its own file, there
alone. What a running test prints is searched by tests/conftest.py.
"""

import base64
import codecs
import contextlib
import json
import os
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

SHORTEST = 16
"""Shorter values ("one", "hello") stand in file names and sentences by chance."""
WINDOW = 24
"""How much of a value is looked for: part of it would be a leak as well."""
KEPT_VALUES = 24
"""Most values of one daemon that are looked for: the first half, and the latest."""
SHARE_OF_TIME = 0.03
"""How much of a session the searches after a kill may take; those after an orderly stop are always made."""


class CanaryFound(AssertionError):
    """A value stands where none may be; the message names the place and the form, not the value."""


@lru_cache(maxsize=8192)
def forms(value: bytes) -> dict[str, bytes]:
    """The shapes in which the beginning of a value could turn up, by name."""
    part = value[:WINDOW]
    found = {
        "as it is": part,
        "in hex": part.hex().encode(),
        "in capital hex": part.hex().upper().encode(),
    }
    for shift in range(3):
        # Base64 of a longer text has one of three shapes of what stands inside it; the edges depend on neighbours.
        inner = base64.b64encode(bytes(shift) + part)[4 if shift else 0 : -4]
        found[f"in base64, shifted by {shift}"] = inner
        found[f"in base64url, shifted by {shift}"] = inner.translate(bytes.maketrans(b"+/", b"-_"))
    with contextlib.suppress(UnicodeDecodeError):
        # The window may end inside a character: an incremental decoder leaves that one out.
        text = codecs.getincrementaldecoder("utf-8")().decode(value[: 4 * WINDOW])[:WINDOW]
        found["in JSON"] = json.dumps(text)[1:-1].encode()
        found["in JSON with its own letters"] = json.dumps(text, ensure_ascii=False)[1:-1].encode()
        found["in JSON, twice"] = json.dumps(json.dumps(text))[3:-3].encode()
        found["in Python's repr"] = repr(text)[1:-1].encode()
        found["in UTF-16"] = text.encode("utf-16-le")
        found["in UTF-16, big end first"] = text.encode("utf-16-be")
    found["in bytes' repr"] = repr(part)[2:-1].encode()
    # The window may end inside a character or an escape, so equal shapes are dropped, and so are shapes too short.
    return {name: shape for name, shape in found.items() if len(shape) >= SHORTEST - 4}


@dataclass
class Watched:
    """What is known of one daemon. `kept_to` has values that may stand in one file of their own."""

    state_dir: Path
    log: Path
    values: dict[bytes, None] = field(default_factory=dict)
    kept_to: dict[bytes, str] = field(default_factory=dict)
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)
    """Several threads of a test may speak to one daemon."""

    def heard(self, value: bytes) -> None:
        """Look for this value from now on."""
        if len(value) < SHORTEST or len(set(value[:256])) < 6:
            return
        with self._one_at_a_time:
            if value not in self.values and len(self.values) >= KEPT_VALUES:
                del self.values[list(self.values)[KEPT_VALUES // 2]]
            self.values[value] = None

    def shapes(self) -> Iterator[tuple[str, bytes, str]]:
        """Form, bytes and the one file that may hold them."""
        with self._one_at_a_time:
            values, kept_to = tuple(self.values), tuple(self.kept_to.items())
        for value in values:
            yield from ((name, shape, "") for name, shape in forms(value).items())
        for value, own in kept_to:
            yield from ((name, shape, own) for name, shape in forms(value).items())


class Canaries:
    """All daemons of a session. A find is raised where it is made, and kept for the end of the session."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.searched_bytes = 0
        self.values_looked_for = 0
        self.seconds = 0.0
        self._watched: dict[Path, Watched] = {}
        self._began = time.monotonic()

    def started(self, state_dir: Path, log: Path, token: str) -> None:
        """A daemon serves. What it held to before it was started again is still looked for."""
        watched = self._watched.setdefault(state_dir, Watched(state_dir, log))
        watched.kept_to[token.encode()] = "admin.env"
        pin = state_dir / "pin"
        if pin.exists():
            watched.kept_to[pin.read_bytes().strip()] = "pin"

    def spoke(self, state_dir: Path, sent: Any, status: int, answer: Any) -> None:
        """A request was answered: values in either are canaries; an answer that is an error must hold none."""
        watched = self._watched.get(state_dir)
        if watched is None:
            return
        for value in (*_values(sent), *_values(answer if status < 400 else None)):
            watched.heard(value)
        if status >= 400:
            told = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self._search(watched, [("the body of an error", told)])

    def running(self, state_dir: Path, pids: Iterable[int]) -> None:
        """A daemon is about to end: its processes' arguments and environments, while they can be read."""
        watched = self._watched.get(state_dir)
        if watched is not None:
            places = [
                (f"/proc/{pid}/{name}", f"{name} of a process") for pid in pids for name in ("cmdline", "environ")
            ]
            self._search(watched, [(what, data) for path, what in places if (data := _read(path)) is not None])

    def ended(self, state_dir: Path, *, orderly: bool = True) -> None:
        """A daemon has ended: its files and its log. After a kill only as often as time allows."""
        watched = self._watched.get(state_dir)
        late = self.seconds > SHARE_OF_TIME * (time.monotonic() - self._began) + 1.0
        if watched is not None and (orderly or not late):
            self._search(watched, self._files(watched))

    def printed(self, what: str, text: str) -> None:
        """What a test printed or logged."""
        for watched in self._watched.values():
            self._search(watched, [(what, text.encode(errors="surrogateescape"))])

    def told(self) -> dict[str, Any]:
        """What was searched and found, in plain types, for `add` in another process."""
        return {
            "found": self.found,
            "searched_bytes": self.searched_bytes,
            "values_looked_for": self.values_looked_for,
            "seconds": self.seconds,
        }

    def add(self, told: dict[str, Any]) -> None:
        """Take over what another process searched and found beside this one."""
        self.found += told["found"]
        self.searched_bytes += told["searched_bytes"]
        self.values_looked_for = max(self.values_looked_for, told["values_looked_for"])
        self.seconds += told["seconds"]

    def _files(self, watched: Watched) -> Iterator[tuple[str, bytes]]:
        for directory, _, names in os.walk(watched.state_dir):
            for name in names:
                path = Path(directory, name)
                if path.is_file() and not path.is_symlink() and (data := _read(path)) is not None:
                    yield str(path.relative_to(watched.state_dir)), data
        if (data := _read(watched.log)) is not None:
            yield "the daemon's log", data

    def _search(self, watched: Watched, places: Iterable[tuple[str, bytes]]) -> None:
        began = time.monotonic()
        shapes = list(watched.shapes())
        self.values_looked_for = max(self.values_looked_for, len(watched.values) + len(watched.kept_to))
        found = []
        for where, data in places:
            self.searched_bytes += len(data)
            found += [f"{where}: a value {form}" for form, shape, own in shapes if shape in data and own != where]
        self.seconds += time.monotonic() - began
        if found:
            self.found += found
            raise CanaryFound("cannot keep values to themselves: " + "; ".join(found[:5]))


def _values(document: Any) -> Iterator[bytes]:
    """The values in a request or an answer: what stands under the names of values, also in a batch."""
    if not isinstance(document, dict):
        return
    for one in document.get("values", ()) if isinstance(document.get("values"), list) else ():
        yield from _values(one)
    token = document.get("token")
    for text in (document.get("text"), document.get("admin_password")):
        if isinstance(text, str):
            yield text.encode(errors="surrogatepass")
    for binary in map(document.get, ("binary", "plaintext", "private_key_plaintext", "message")):
        if isinstance(binary, str):
            yield binary.encode(errors="surrogatepass")
            with contextlib.suppress(ValueError):
                yield base64.b64decode(binary, validate=True)
    if isinstance(token, str) and token.startswith("secretsd_"):
        yield token.encode(errors="surrogatepass")


def _read(path: Path | str) -> bytes | None:
    try:
        return Path(path).read_bytes()
    except OSError:
        return None  # gone meanwhile, or not ours to read: then it is not in our reach either
