"""Run as a program beside a test: the insides of a keystore process on a SoftHSM2 token, without its sockets.

Reads from standard input {"token": [module, label, PIN, environment], "directory": …, "measure": …} and writes what it
has found as JSON. A program of its own, because a library can be loaded for one token in a process.
"""

import ctypes
import json
import os
import sys
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from secretsd.adapters.keystore_process import messages as m
from secretsd.adapters.keystore_process.account_rates import AccountRates
from secretsd.adapters.keystore_process.call_times import CallTimes
from secretsd.adapters.keystore_process.calls import Calls
from secretsd.adapters.keystore_process.new_roots import NewRoots
from secretsd.adapters.keystore_process.sealed_storage_key import SealedStorageKey
from secretsd.adapters.keystore_process.use_counts import UseCounts
from secretsd.adapters.pkcs11.key_rows import digest
from secretsd.adapters.pkcs11.library import Library
from secretsd.adapters.pkcs11.pin_latch import PinLatch
from secretsd.adapters.pkcs11.pkcs11_keystore import PKCS11KeyStore
from secretsd.adapters.pkcs11.root_history import RootHistory
from secretsd.domain.envelope import Purpose
from secretsd.domain.keys import KeyMetadata, WrappedKey

ACCOUNT = "000000000001"
HELD = 8
CYCLES, OBJECTS_A_CYCLE = 8, 800


class _Heap(ctypes.Structure):
    """struct mallinfo2 (mallinfo(3))."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"
        )
    )  # fmt: skip


def heap_bytes() -> int:
    """What this process has allocated and not freed."""
    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = _Heap
    found = mallinfo()
    return int(found.uordblks + found.hblkhd)


def new_keys(keystore: PKCS11KeyStore, count: int) -> list[WrappedKey]:
    """So many CMKs."""
    return [keystore.generate_key(KeyMetadata(ACCOUNT, str(uuid.uuid4()), 1)) for _ in range(count)]


def objects(keystore: PKCS11KeyStore) -> dict[str, Any]:
    """Use more keys than are held, again and again: what the heap is after each cycle, and how many texts came back."""
    keystore.token.most_objects = OBJECTS_A_CYCLE
    keys = new_keys(keystore, 2 * HELD)
    heap, right = [], 0
    for _ in range(CYCLES):
        for number in range(OBJECTS_A_CYCLE // len(keys)):
            for key in keys:
                text = b"%d" % number
                made = keystore.encrypt(key, Purpose.API_CIPHERTEXT, text, {})
                right += keystore.decrypt(key, Purpose.API_CIPHERTEXT, made, {}) == text
        heap.append(heap_bytes())
    return {"heap": heap, "right": right, "recoveries": keystore.token.recoveries}


def counts(keystore: PKCS11KeyStore, uses: UseCounts, directory: Path) -> dict[str, Any]:
    """Answer a batch that loads new keys and decrypts or encrypts with them: writes before and while it is answered."""
    keys = new_keys(keystore, HELD)
    texts = [keystore.encrypt(key, Purpose.API_CIPHERTEXT, b"text", {}) for key in keys[::2]]
    forged = replace(keys[-1], key_id=str(uuid.uuid4()))
    roots = NewRoots(RootHistory(directory / "roots"), keystore, lambda _: None)
    storage_key, rates, times = SealedStorageKey(directory), AccountRates(0), CallTimes()
    calls = Calls(keystore, storage_key, rates, uses, times, roots, "", lambda _: None)
    writes = _writes()
    batch: list[m.Call] = []
    for number, key in enumerate([*keys, forged]):
        context: dict[str, str] = {}
        asked = (2 * number + 1, digest(key), ACCOUNT, Purpose.API_CIPHERTEXT, "request", context)
        batch.append(m.Load(2 * number, m.KeyRow.of(key)))
        encrypted = number % 2 == 0 and key is not forged
        batch.append(m.Decrypt(*asked, texts[number // 2]) if encrypted else m.Encrypt(*asked, b"text"))
    # The keys of the texts were loaded to make them: others have to take their places.
    for key in new_keys(keystore, HELD):
        keystore.load(key)
    writes.clear()
    calls.reserve(batch)
    before = len(writes)
    answers = [type(calls.answer(call)).__name__ for call in batch]
    return {
        "before": before,
        "while": len(writes) - before,
        "answers": answers,
        "uses": [uses.of((key.key_id, 1)) for key in keys],
        "forged in the file": uuid.UUID(forged.key_id).bytes in (directory / "key-uses").read_bytes(),
    }


def _writes() -> list[int]:
    """Grows by one for each fsync of this process from now on."""
    seen: list[int] = []
    real = os.fsync

    def counted(file: int) -> None:
        seen.append(file)
        real(file)

    mock.patch.object(os, "fsync", counted).start()
    return seen


def main() -> None:
    """One measurement."""
    asked = json.load(sys.stdin)
    module, label, pin, environment = asked["token"]
    directory = Path(asked["directory"])
    uses = UseCounts(directory / "key-uses", lambda _: None)
    latch = PinLatch(directory / "pin-latch")
    keystore = PKCS11KeyStore(Library(module, environment), label, pin, latch, uses, HELD)
    json.dump(objects(keystore) if asked["measure"] == "objects" else counts(keystore, uses, directory), sys.stdout)


if __name__ == "__main__":
    main()
