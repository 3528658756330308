"""The process, `python -I -m secretsd.adapters.keystore_process`: configuration on descriptor 0, control on 3."""

import os
import signal
import socket
from types import FrameType

from pkcs11.exceptions import PKCS11Error

from secretsd.adapters import child
from secretsd.adapters.keystore_process import ceremonies, data_directory
from secretsd.adapters.keystore_process.account_rates import AccountRates
from secretsd.adapters.keystore_process.call_times import CallTimes
from secretsd.adapters.keystore_process.calls import Calls
from secretsd.adapters.keystore_process.configuration import Configuration, Probed, answer
from secretsd.adapters.keystore_process.data_directory import say
from secretsd.adapters.keystore_process.new_roots import NewRoots
from secretsd.adapters.keystore_process.sealed_storage_key import SealedStorageKey
from secretsd.adapters.keystore_process.service import Service
from secretsd.adapters.keystore_process.use_counts import UseCounts
from secretsd.adapters.pkcs11 import faults
from secretsd.adapters.pkcs11.faults import ModuleRefused
from secretsd.adapters.pkcs11.held_keys import UseCounter
from secretsd.adapters.pkcs11.key_tombstones import KeyTombstones
from secretsd.adapters.pkcs11.library import Library
from secretsd.adapters.pkcs11.matrix import Ability, matrix
from secretsd.adapters.pkcs11.pin_latch import PinLatch
from secretsd.adapters.pkcs11.pkcs11_keystore import NoUses, PKCS11KeyStore
from secretsd.adapters.pkcs11.root_history import RootHistory
from secretsd.domain.errors import KeyStoreUnavailable


def main() -> None:
    """Do what the configuration says. Exit status 78 where starting again would not help."""
    child.harden(child.CONTROL_FD)
    os.umask(0o077)
    configuration = child.configuration(Configuration)
    commands = {"serve": serve, "probe": probe, **ceremonies.COMMANDS}
    try:
        commands[configuration.command](configuration)
    except ModuleRefused as refused:
        child.refuse(str(refused))
    except PKCS11Error as error:
        # The library itself does not come up. It may later, so a supervisor may start the service again.
        message = f"cannot use the PKCS#11 module: it answers {faults.name(error)}"
        if configuration.command != "serve":
            child.refuse(message)
        say(message)
        raise SystemExit(1) from None
    except OSError as error:
        say(f"cannot use the data directory {configuration.data_dir}: {error.strerror}")
        raise SystemExit(1) from None


def serve(configuration: Configuration) -> None:
    """Serve workers until SIGTERM or the supervisor's end. A token that is away may come back: no reason to end."""
    data_dir = data_directory.data_directory(configuration.data_dir)
    suffix = "" if configuration.lane == "fast" else f"-{configuration.lane}"
    locked = data_directory.lock(data_dir, data_directory.LOCK + suffix)
    library = Library(configuration.module, configuration.environment)
    uses = UseCounts(data_dir / (data_directory.USES + suffix), say)
    times = CallTimes()
    keystore = _keystore(configuration, library, uses, times)
    rates = AccountRates(configuration.rate_per_account)
    history = RootHistory(data_dir / data_directory.ROOTS)
    keystore.token.session.proved = history.proved
    roots = NewRoots(history, keystore, say)
    calls = Calls(keystore, SealedStorageKey(data_dir), rates, uses, times, roots, library.name, say)
    try:
        keystore.token.ensure_open()
    except KeyStoreUnavailable as error:
        say(error.message)
    service = Service(
        keystore,
        calls,
        child.listener(configuration.listen_fd),
        configuration.allowed_uids,
        configuration.flush_seconds,
        configuration.stalled_seconds,
        say,
    )

    def stop(_signal: int, _frame: FrameType | None) -> None:
        service.stop()

    wake, woken = socket.socketpair()
    wake.setblocking(False)
    service.wake_by(woken.fileno())
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    child.settle()
    service.run()
    uses.close()
    keystore.token.close()
    os.close(locked)


def probe(configuration: Configuration) -> None:
    """Open token and module as `serve` would, and tell what was found as one JSON line (Probed)."""
    reason, name, kek_id, renewable = "", "", "", True
    abilities: list[Ability] = []
    try:
        library = Library(configuration.module, configuration.environment)
        name = library.name
        keystore = _keystore(configuration, library, NoUses(), CallTimes())
        keystore.token.ensure_open()
        kek_id, renewable = keystore.token.kek_id, not keystore.token.session.protection.fixed
        abilities = matrix(keystore.token.session.suites, keystore.inabilities)
        keystore.token.close()
    except (ModuleRefused, KeyStoreUnavailable) as error:
        reason = str(error)
    answer(Probed(not reason, reason, name, configuration.token_label, kek_id, abilities, renewable))


def _keystore(configuration: Configuration, library: Library, uses: UseCounter, times: CallTimes) -> PKCS11KeyStore:
    data_dir = data_directory.data_directory(configuration.data_dir)
    latch, tombstones = (
        PinLatch(data_dir / data_directory.PIN_LATCH),
        KeyTombstones(data_dir / data_directory.TOMBSTONES),
    )
    keystore = PKCS11KeyStore(
        library, configuration.token_label, configuration.pin, latch, uses,
        configuration.max_loaded_keys, tombstones, times.failed,
    )  # fmt: skip
    keystore.token.session.written = RootHistory(data_dir / data_directory.ROOTS).written
    return keystore


if __name__ == "__main__":
    main()
