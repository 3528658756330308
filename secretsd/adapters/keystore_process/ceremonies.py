"""Ceremonies: what is done with the root itself, by an operator, one at a time, beside the processes that serve."""

import base64
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec

from secretsd.adapters.keystore_process import data_directory
from secretsd.adapters.keystore_process.configuration import (
    Arrived,
    Configuration,
    Initialised,
    Listed,
    Rotated,
    Waiting,
    answer,
)
from secretsd.adapters.keystore_process.sealed_storage_key import SealedStorageKey
from secretsd.adapters.keystore_process.use_counts import UseCounts
from secretsd.adapters.pkcs11 import root_rotation, root_transfer
from secretsd.adapters.pkcs11.attestation import attest
from secretsd.adapters.pkcs11.durable_files import write_durably
from secretsd.adapters.pkcs11.faults import ModuleRefused
from secretsd.adapters.pkcs11.library import Library
from secretsd.adapters.pkcs11.pin_latch import PinLatch
from secretsd.adapters.pkcs11.pkcs11_keystore import PKCS11KeyStore
from secretsd.adapters.pkcs11.recovery import RecoveryKey, RecoveryWrap
from secretsd.adapters.pkcs11.root_check import check_value
from secretsd.adapters.pkcs11.root_creation import create_root, new_token
from secretsd.adapters.pkcs11.root_generation import MadeRoot
from secretsd.adapters.pkcs11.root_history import RootHistory
from secretsd.adapters.pkcs11.root_rotation import RootToken
from secretsd.adapters.pkcs11.token_session import TokenSession
from secretsd.domain.root_keys import RootKey

_MAX_DOCUMENT_BYTES = 65536


def initialise(configuration: Configuration, data_dir: Path) -> None:
    """Make token, root keys and storage key; one JSON line (Initialised) tells what only the operator may keep."""
    recovery_key = _recovery_key(configuration)
    locked = data_directory.lock(data_dir, data_directory.LOCK)
    uses = UseCounts(data_dir / data_directory.USES, data_directory.say)
    storage_key = SealedStorageKey(data_dir)

    def with_the_root(keystore: PKCS11KeyStore, made: MadeRoot) -> None:
        storage_key.create(keystore)
        _keep_recovery(data_dir, made, storage_key.document())
        RootHistory(data_dir / data_directory.ROOTS).add(_root_key(made))

    created = create_root(
        configuration.module,
        configuration.environment,
        configuration.token_label,
        configuration.pin,
        PinLatch(data_dir / data_directory.PIN_LATCH),
        uses,
        recovery_key,
        with_the_root,
    )
    uses.close()
    os.close(locked)
    root = created.root
    recovery = _told(root, storage_key.document())
    answer(Initialised(root.kek_id, created.so_pin, recovery, root.check, root.fixed))


def roots(configuration: Configuration, data_dir: Path) -> None:
    """Tell of every generation of the root (Listed)."""
    _list(_token(configuration, data_dir), data_dir)


def attest_keys(configuration: Configuration, data_dir: Path) -> None:
    """Evidence of what the keys are; the answer is `attestation.py`'s document."""
    answer(attest(_token(configuration, data_dir)))


def rotate_root(configuration: Configuration, data_dir: Path) -> None:
    """Make a new generation of the root (Rotated)."""
    recovery_key, token = _recovery_key(configuration), _token(configuration, data_dir)
    storage_key, history = SealedStorageKey(data_dir), token.history
    made = root_rotation.rotate_root(
        token,
        _so_pin(configuration),
        recovery_key,
        lambda one: _keep_recovery(data_dir, one, b""),
        held=configuration.hold,
    )
    with token.opened() as session:
        sealed = storage_key.under(session, made.kek_id)
    _keep_recovery(data_dir, made, sealed)
    if sealed and not configuration.hold:
        storage_key.write(sealed)
    root = next(one for one in history.read() if one.kek_id == made.kek_id)
    answer(Rotated(root, made.check, _told(made, sealed)))


def use_root(configuration: Configuration, data_dir: Path) -> None:
    """Let a generation that was held wrap from now on (Listed)."""
    token, storage_key = _token(configuration, data_dir), SealedStorageKey(data_dir)
    held = [root for root in token.history.read() if root.held and root.generation == configuration.generation]
    if not held:
        raise ModuleRefused(f"cannot use generation {configuration.generation} of the root: none such is held")
    with token.opened() as session:
        if held[0].kek_id not in session.roots:
            raise ModuleRefused(f"cannot use generation {configuration.generation} of the root: it is not on the token")
        sealed = storage_key.under(session, held[0].kek_id)
    token.history.use(held[0].kek_id, _now_ms())
    if sealed:
        storage_key.write(sealed)
    _list(token, data_dir)


def destroy_root(configuration: Configuration, data_dir: Path) -> None:
    """Destroy a generation of the root for good (Listed); what storage holds was looked through before."""
    if configuration.generation is None:
        raise ModuleRefused("cannot destroy a root: name its generation")
    token, storage_key = _token(configuration, data_dir), SealedStorageKey(data_dir)

    def before(session: TokenSession, current: str) -> None:
        """A rotation that was cut short right at its end has left the storage key behind."""
        if storage_key.kek_id != current and (sealed := storage_key.under(session, current)):
            storage_key.write(sealed)

    root_rotation.destroy_generation(token, configuration.generation, before)
    (data_dir / _recovery_name(configuration.generation)).unlink(missing_ok=True)
    _list(token, data_dir)


def send_root(configuration: Configuration, data_dir: Path) -> None:
    """The root wrapped for another token's key, with the storage key that goes with it."""
    if configuration.receiver_public_key is None:
        raise ModuleRefused("cannot send the root: name the key of the token that receives it")
    token, receiver = _token(configuration, data_dir), RecoveryKey.from_pem(configuration.receiver_public_key)
    wrap = root_transfer.send_root(token, _so_pin(configuration), receiver, configuration.generation)
    with token.opened() as session:
        sealed = SealedStorageKey(data_dir).under(session, wrap.kek_id)
    answer(replace(wrap, storage_key=_text(sealed)).document())


def receive_root(configuration: Configuration, data_dir: Path) -> None:
    """Take up a root: a first line (Waiting), then the wrap on `document_fd`, then a second line (Arrived).

    A token that is not there yet is made for it; one that is there needs its security officer's PIN.
    """
    came: list[RecoveryWrap] = []

    def ask(public_key: str) -> RecoveryWrap:
        answer(Waiting(public_key))
        came.append(_document(configuration.document_fd))
        return came[0]

    storage_key, history = SealedStorageKey(data_dir), RootHistory(data_dir / data_directory.ROOTS)
    library = Library(configuration.module, configuration.environment)
    if library.has_token(configuration.token_label):
        token = _token(configuration, data_dir, library)
        received = root_transfer.existing_token(token, _so_pin(configuration), ask)
        with token.opened() as session:
            sealed = storage_key.under(session, received.kek_id) or base64.b64decode(came[0].storage_key)
        so_pin = None
    else:
        label, pin = configuration.token_label, configuration.pin
        with new_token(library, configuration.environment, label, pin) as (staged, session, so_pin, staging):
            received = root_transfer.receive_root(staged, session, pin, ask)
            staged.close_all_sessions(session.token)
            history.add(_root_key(received))  # by which a fixed one is known; where it is refused it never comes to be
            with _token(configuration, data_dir, staged).opened():
                pass  # proved as at every start
            sealed = base64.b64decode(came[0].storage_key)
            if not sealed:
                raise ModuleRefused("cannot receive the root: without the storage key it would open no storage")
            storage_key.write(sealed)
            staged.close()
            staging.move()
    history.add(_root_key(received))
    if sealed:
        storage_key.write(sealed)
    answer(Arrived(received.kek_id, received.generation, received.check, so_pin, received.fixed))


def _alone(ceremony: Callable[[Configuration, Path], None]) -> Callable[[Configuration], None]:
    def held(configuration: Configuration) -> None:
        data_dir = data_directory.data_directory(configuration.data_dir)
        locked = data_directory.lock(data_dir, data_directory.CEREMONY_LOCK)
        ceremony(configuration, data_dir)
        os.close(locked)

    return held


COMMANDS: dict[str, Callable[[Configuration], None]] = {
    "initialise": _alone(initialise),
    "roots": _alone(roots),
    "attest": _alone(attest_keys),
    "rotate-root": _alone(rotate_root),
    "use-root": _alone(use_root),
    "destroy-root": _alone(destroy_root),
    "send-root": _alone(send_root),
    "receive-root": _alone(receive_root),
}


def _list(token: RootToken, data_dir: Path) -> None:
    with token.opened() as session:
        checks = {
            root.kek_id: check_value(session.owner, root.kek, root.mac_key, root.kek_id, root.generation)
            for root in session.roots.values()
        }
        known = token.history.complete((root.kek_id, root.generation) for root in session.roots.values())
        current = session.current.kek_id if session.current else ""
    answer(Listed(known, current, SealedStorageKey(data_dir).kek_id, checks))


def _token(configuration: Configuration, data_dir: Path, library: Library | None = None) -> RootToken:
    return RootToken(
        library or Library(configuration.module, configuration.environment),
        configuration.token_label,
        configuration.pin,
        PinLatch(data_dir / data_directory.PIN_LATCH),
        RootHistory(data_dir / data_directory.ROOTS),
    )


def _recovery_key(configuration: Configuration) -> RecoveryKey | None:
    pem = configuration.recovery_public_key
    if (pem is None) is not configuration.refuse_recovery:
        raise ModuleRefused("cannot create the root key: name a recovery key, or refuse one, and not both")
    return None if pem is None else RecoveryKey.from_pem(pem)


def _so_pin(configuration: Configuration) -> str:
    if configuration.so_pin is None:
        raise ModuleRefused("cannot log in as the token's security officer: the SO PIN is missing")
    return configuration.so_pin


def _keep_recovery(data_dir: Path, made: MadeRoot, sealed: bytes) -> None:
    """Only the operator's private key opens it, so it may stay here until he has taken his copy off the host."""
    if (document := _told(made, sealed)) is not None:
        write_durably(data_dir / _recovery_name(made.generation), msgspec.json.encode(document))


def _recovery_name(generation: int) -> str:
    return f"recovery-{generation}.json"


def _root_key(root: MadeRoot | root_transfer.Received) -> RootKey:
    return RootKey(root.kek_id, root.generation, _now_ms(), fixed=root.fixed, check=root.check)


def _told(made: MadeRoot, sealed: bytes) -> dict[str, str | int] | None:
    return None if made.recovery is None else replace(made.recovery, storage_key=_text(sealed)).document()


def _document(descriptor: int) -> RecoveryWrap:
    found = b""
    while len(found) <= _MAX_DOCUMENT_BYTES and (part := os.read(descriptor, 8192)):
        found += part
    try:
        return msgspec.json.decode(found, type=RecoveryWrap)
    except msgspec.DecodeError:
        raise ModuleRefused("cannot receive a root: that is no root on its way to this token") from None


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _now_ms() -> int:
    return int(time.time() * 1000)
