"""Everybody who encrypts meanwhile: callers under a few keys, and secrets whose data keys stand under the same ones."""

import base64
import random
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from secretsd.testing.daemon import Daemon, secret_path
from secretsd.testing.iv_hunt.ledger import Ledger
from secretsd.testing.kill_hunt.caller import Caller, Unanswered
from secretsd.testing.kill_hunt.journal import Journal, Request

ENCRYPT = "Encrypt"
WEIGHTS = {
    ENCRYPT: 40,
    "GenerateDataKey": 15,
    "GenerateDataKeyWithoutPlaintext": 5,
    "GenerateDataKeyPair": 3,
    "ReEncrypt": 12,
    "CreateSecret": 5,
    "PutSecretValue": 20,
    "RotateKeyOnDemand": 0.15,
}
_MOST_VERSIONS = 6
_PLAINTEXT = base64.b64encode(bytes(range(64))).decode()


class LoadThread(threading.Thread):
    """One client that never gives up. Odd ones come over TCP with the token, even ones over the Unix socket."""

    def __init__(self, daemon: Daemon, ledger: Ledger, seed: int, number: int, keys: Sequence[str]) -> None:
        super().__init__(name=f"load {number}", daemon=True)
        self.journal = Journal()
        self._caller = Caller(daemon, self.journal, tcp=number % 2 == 1)
        self._ledger, self._number, self._keys = ledger, number, keys
        self._rng = random.Random(f"{seed} {number}")  # noqa: S311  # a load, not a secret: it comes again from its seed
        self._ended = threading.Event()
        self._secrets: list[str] = []
        self._last = ""
        self._rotations = 0

    def run(self) -> None:
        """One request after the other until asked to end."""
        try:
            while not self._ended.is_set():
                (name,) = self._rng.choices(list(WEIGHTS), list(WEIGHTS.values()))
                self.call(name, self._rng.choice(self._keys))
        except Exception as error:  # noqa: BLE001  # whatever ends this thread ends the hunt's claim to have had a load
            self._ledger.finding(f"{self.name} ended: {type(error).__name__}: {error}")

    def call(self, name: str, key: str) -> bool:
        """One request under a key; whether it was answered with success, and if so, it is in the ledger."""
        method, path, body = self._request(name, key)
        try:
            answer = self._caller.call(Request(name, method, path, "", body))
        except Unanswered:
            return False
        if answer.status == 200 and isinstance(answer.body, dict):
            self._enter(answer.body)
        return answer.status == 200

    def end(self) -> None:
        """Ask it to end, and wait for it."""
        self._ended.set()
        if self.is_alive():
            self.join()

    def close(self) -> None:
        """Let go of its connection."""
        self._caller.close()

    def _enter(self, body: Mapping[str, Any]) -> None:
        for field in ("ciphertext", "private_key_ciphertext"):
            if field in body:
                self._last = body[field]
                self._ledger.ciphertext(base64.b64decode(body[field]))

    def _request(self, name: str, key: str) -> tuple[str, str, Any]:
        if name == "RotateKeyOnDemand":
            self._rotations += 1
            name = name if self._rotations < _MOST_VERSIONS else ENCRYPT
        if (name == "ReEncrypt" and not self._last) or (name == "PutSecretValue" and not self._secrets):
            name = ENCRYPT
        value = f"value {self._rng.getrandbits(64):x}"
        match name:
            case "GenerateDataKey":
                return "POST", f"/v1/keys/{key}:generate-data-key", {}
            case "GenerateDataKeyWithoutPlaintext":
                return "POST", f"/v1/keys/{key}:generate-data-key-without-plaintext", {}
            case "GenerateDataKeyPair":
                return "POST", f"/v1/keys/{key}:generate-data-key-pair", {"key_pair_spec": "ECC_NIST_P256"}
            case "ReEncrypt":
                return "POST", "/v1/ciphertexts:re-encrypt", {"ciphertext": self._last, "destination_key": key}
            case "CreateSecret":
                self._secrets.append(f"load/{self._number}/{len(self._secrets)}")
                return "POST", "/v1/secrets", {"name": self._secrets[-1], "text": value, "key_id": key}
            case "PutSecretValue":
                return "PUT", secret_path(self._rng.choice(self._secrets), "value"), {"text": value}
            case "RotateKeyOnDemand":
                return "POST", f"/v1/keys/{key}:rotate", {}
        return "POST", f"/v1/keys/{key}:encrypt", {"plaintext": _PLAINTEXT}
