"""The keystore process's own directory: what is in it, and who may work on it at a time."""

import fcntl
import os
import sys
from pathlib import Path

from secretsd.adapters.pkcs11.faults import ModuleRefused

PIN_LATCH = "pin-refused"
USES = "key-uses"
TOMBSTONES = "key-tombstones"
ROOTS = "root-history"
LOCK = "lock"
CEREMONY_LOCK = "lock-ceremony"


def data_directory(path: str) -> Path:
    """The directory; ModuleRefused unless it is there and can be written."""
    data_dir = Path(path)
    if not data_dir.is_dir() or not os.access(data_dir, os.W_OK | os.X_OK):
        raise ModuleRefused(f"cannot use the data directory {data_dir}: it does not exist or cannot be written")
    return data_dir


def lock(data_dir: Path, name: str) -> int:
    """Hold one of its locks alone; the descriptor. Two lanes that count uses would each forget the other's."""
    descriptor = os.open(data_dir / name, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f"cannot use the data directory {data_dir}: another keystore process has it")
        raise SystemExit(1) from None  # it may be about to end, so starting again can help
    return descriptor


def say(sentence: str) -> None:
    """One line for whoever started the process."""
    sys.stderr.write(f"keystore: {sentence}\n")
    sys.stderr.flush()
