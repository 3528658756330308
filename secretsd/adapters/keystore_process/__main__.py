"""The process, `python -I -m secretsd.adapters.keystore_process`: configuration on descriptor 0, control on 3."""

import fcntl
import os
import signal
import socket
import sys
from pathlib import Path
from types import FrameType

import msgspec
from pkcs11.exceptions import PKCS11Error

from secretsd.adapters import child
from secretsd.adapters.keystore_process.account_rates import AccountRates
from secretsd.adapters.keystore_process.calls import Calls
from secretsd.adapters.keystore_process.configuration import Configuration, Initialised, Probed
from secretsd.adapters.keystore_process.sealed_storage_key import SealedStorageKey
from secretsd.adapters.keystore_process.service import Service
from secretsd.adapters.keystore_process.use_counts import UseCounts
from secretsd.adapters.pkcs11 import faults
from secretsd.adapters.pkcs11.faults import ModuleRefused
from secretsd.adapters.pkcs11.library import Library
from secretsd.adapters.pkcs11.pin_latch import PinLatch
from secretsd.adapters.pkcs11.pkcs11_keystore import NoUses, PKCS11KeyStore, UseCounter
from secretsd.adapters.pkcs11.recovery import RecoveryKey
from secretsd.adapters.pkcs11.root_creation import create_root
from secretsd.domain.errors import KeyStoreUnavailable

_PIN_LATCH = "pin-refused"
_USES = "key-uses"
_LOCK = "lock"


def main() -> None:
    """Do what the configuration says. Exit status 78 where starting again would not help."""
    child.harden(child.CONTROL_FD)
    os.umask(0o077)
    configuration = child.configuration(Configuration)
    commands = {"serve": serve, "initialise": initialise, "probe": probe}
    try:
        commands[configuration.command](configuration)
    except ModuleRefused as refused:
        child.refuse(str(refused))
    except PKCS11Error as error:
        # The library itself does not come up. It may later, so a supervisor may start the service again.
        message = f"cannot use the PKCS#11 module: it answers {faults.name(error)}"
        if configuration.command != "serve":
            child.refuse(message)
        _log(message)
        raise SystemExit(1) from None
    except OSError as error:
        _log(f"cannot use the data directory {configuration.data_dir}: {error.strerror}")
        raise SystemExit(1) from None


def serve(configuration: Configuration) -> None:
    """Serve workers until SIGTERM or the supervisor's end. A token that is away may come back: no reason to end."""
    data_dir = _data_dir(configuration)
    locked = _lock(data_dir)
    library = Library(configuration.module, configuration.environment)
    uses = UseCounts(data_dir / _USES, _log)
    keystore = _keystore(configuration, library, uses)
    rates = AccountRates(configuration.rate_per_account)
    calls = Calls(keystore, SealedStorageKey(data_dir), rates, uses, library.name, _log)
    try:
        keystore.ensure_open()
    except KeyStoreUnavailable as error:
        _log(error.message)
    service = Service(
        keystore,
        calls,
        child.listener(configuration.listen_fd),
        configuration.allowed_uids,
        configuration.flush_seconds,
        configuration.stalled_seconds,
        _log,
    )

    def stop(_signal: int, _frame: FrameType | None) -> None:
        service.stop()

    wake, woken = socket.socketpair()
    wake.setblocking(False)
    service.wake_by(woken.fileno())
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    service.run()
    uses.close()
    keystore.close()
    os.close(locked)


def initialise(configuration: Configuration) -> None:
    """Make token, root keys and storage key; one JSON line (Initialised) tells what only the operator may keep."""
    pem = configuration.recovery_public_key
    if (pem is None) is not configuration.refuse_recovery:
        raise ModuleRefused("cannot create the root key: name a recovery key, or refuse one, and not both")
    data_dir = _data_dir(configuration)
    locked = _lock(data_dir)
    uses = UseCounts(data_dir / _USES, _log)
    created = create_root(
        configuration.module,
        configuration.environment,
        configuration.token_label,
        configuration.pin,
        PinLatch(data_dir / _PIN_LATCH),
        uses,
        None if pem is None else RecoveryKey.from_pem(pem),
        SealedStorageKey(data_dir).create,
    )
    uses.close()
    os.close(locked)
    recovery = created.recovery.document() if created.recovery else None
    _answer(Initialised(created.kek_id, created.so_pin, recovery))


def probe(configuration: Configuration) -> None:
    """Open token and module as `serve` would, and tell what was found as one JSON line (Probed)."""
    reason, name, kek_id = "", "", ""
    try:
        library = Library(configuration.module, configuration.environment)
        name = library.name
        keystore = _keystore(configuration, library, NoUses())
        keystore.ensure_open()
        kek_id = keystore.kek_id
        keystore.close()
    except (ModuleRefused, KeyStoreUnavailable) as error:
        reason = str(error)
    _answer(Probed(not reason, reason, name, kek_id))


def _keystore(configuration: Configuration, library: Library, uses: UseCounter) -> PKCS11KeyStore:
    latch = PinLatch(_data_dir(configuration) / _PIN_LATCH)
    return PKCS11KeyStore(
        library, configuration.token_label, configuration.pin, latch, uses, configuration.max_loaded_keys
    )


def _data_dir(configuration: Configuration) -> Path:
    data_dir = Path(configuration.data_dir)
    if not data_dir.is_dir() or not os.access(data_dir, os.W_OK | os.X_OK):
        raise ModuleRefused(f"cannot use the data directory {data_dir}: it does not exist or cannot be written")
    return data_dir


def _lock(data_dir: Path) -> int:
    """Hold the data directory alone: two processes that count uses would each forget the other's."""
    descriptor = os.open(data_dir / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _log(f"cannot use the data directory {data_dir}: another keystore process has it")
        raise SystemExit(1) from None  # it may be about to end, so starting again can help
    return descriptor


def _answer(result: msgspec.Struct) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(result) + b"\n")
    sys.stdout.buffer.flush()


def _log(sentence: str) -> None:
    sys.stderr.write(f"keystore: {sentence}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
