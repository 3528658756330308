"""The keys of a benchmark of many CMKs: what is asked about them, and in which order they are drawn."""

import itertools
import json
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from benchmarks.load import Exchange, http
from benchmarks.ours import require
from secretsd.testing.daemon import Daemon

POPULARITY = 1.3
"""The exponent of the Zipf distribution: nine of ten draws out of 100,000 keys are of the thousand most popular."""
_JSON = [("Content-Type", "application/json")]
_PLAINTEXT = "AAECAwQFBgcICQoLDA0ODw=="
T = TypeVar("T")


class Draws:
    """Draws from keys by their ids, the same for the same seed; which keys are popular depends on no seed."""

    def __init__(self, keys: Sequence[str], seed: int) -> None:
        self._keys = keys
        self._random = random.Random(seed)

    def shuffled(self) -> list[str]:
        """All keys, each once."""
        return self.order(list(self._keys))

    def order(self, things: list[T]) -> list[T]:
        """The same things in another order."""
        return self._random.sample(things, len(things))

    def evenly(self, count: int) -> list[str]:
        """So many draws, each key as likely as any other."""
        return self._random.choices(self._keys, k=count)

    def popular(self, count: int) -> list[str]:
        """So many draws, the key of rank n as likely as 1 / n to the power of POPULARITY."""
        weights = itertools.accumulate(1 / rank**POPULARITY for rank in range(1, len(self._keys) + 1))
        return self._random.choices(self._keys, cum_weights=list(weights), k=count)


def creating() -> Exchange:
    """Making a CMK."""
    return Exchange(http("POST", "/v1/keys", _JSON, b'{"spec":"AES_256"}'), b'"state":"enabled"')


def encrypting(key: str) -> Exchange:
    """Encrypting under that key; the answer must tell it."""
    body = json.dumps({"plaintext": _PLAINTEXT}).encode()
    return Exchange(http("POST", f"/v1/keys/{key}:encrypt", _JSON, body), b'"key_id":"' + key.encode())


def decrypting(ciphertext: str) -> Exchange:
    """Opening a ciphertext of `ciphertexts`."""
    body = json.dumps({"ciphertext": ciphertext}).encode()
    return Exchange(http("POST", "/v1/ciphertexts:decrypt", _JSON, body), b'"plaintext":"' + _PLAINTEXT.encode())


def ciphertexts(daemon: Daemon, keys: Sequence[str]) -> list[str]:
    """A ciphertext under each of the keys."""
    connection = daemon.connect()
    made = []
    for key in keys:
        answered = daemon.call("POST", f"/v1/keys/{key}:encrypt", {"plaintext": _PLAINTEXT}, connection=connection)
        made.append(str(require(answered)["ciphertext"]))
    connection.close()
    return made


def ids(daemon: Daemon) -> list[str]:
    """The ids of all keys that callers may use, page by page."""
    found: list[str] = []
    query: dict[str, Any] = {"owner": "customer", "limit": 100}
    connection = daemon.connect()
    while True:
        page = require(daemon.call("GET", "/v1/keys", query=query, connection=connection))
        found += [str(key["id"]) for key in page["keys"]]
        if page.get("next_token") is None:
            connection.close()
            return found
        query["next_token"] = page["next_token"]


def listing(daemon: Daemon, query: Mapping[str, Any]) -> float:
    """Seconds for one page of keys."""
    began = time.perf_counter()
    require(daemon.call("GET", "/v1/keys", query=query))
    return time.perf_counter() - began
