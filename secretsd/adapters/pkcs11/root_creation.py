"""Making the root: a new token, a root KEK that only a trusted key can wrap, a MAC key, a way back for the operator.

The security officer makes the KEK, because only he can mark it as trusted; as he cannot make private objects it is
public at first, and lives in his session alone. The user then copies it onto the token, private and unmodifiable.
"""

import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pkcs11 import KeyType
from pkcs11.exceptions import PKCS11Error

from secretsd.adapters.pkcs11 import attributes, faults
from secretsd.adapters.pkcs11.faults import ModuleRefused
from secretsd.adapters.pkcs11.library import Library
from secretsd.adapters.pkcs11.pin_latch import PinLatch
from secretsd.adapters.pkcs11.pkcs11_keystore import PKCS11KeyStore, UseCounter
from secretsd.adapters.pkcs11.recovery import RecoveryKey, RecoveryWrap
from secretsd.adapters.pkcs11.token_session import KEK_LABEL, MAC_LABEL
from secretsd.adapters.pkcs11.token_staging import staged

_FIRST_GENERATION = 1


@dataclass(frozen=True, slots=True)
class Created:
    """A new root. `so_pin` is told this once: with it and the PIN another trusted key can be made."""

    kek_id: str
    so_pin: str
    recovery: RecoveryWrap | None


def create_root(
    module: str,
    environment: Mapping[str, str],
    label: str,
    pin: str,
    latch: PinLatch,
    uses: UseCounter,
    recovery_key: RecoveryKey | None,
    before_the_move: Callable[[PKCS11KeyStore], None],
) -> Created:
    """Make a token named `label` with its root keys, prove it as at every start, and only then put it in its place.

    `before_the_move` uses the proved key store for what must exist with the root. `recovery_key` None is the
    operator's explicit refusal of a recovery wrap. ModuleRefused, with nothing left behind on SoftHSM2, when the
    token exists already or the module cannot do it.
    """
    library = Library(module, environment)
    try:
        if library.has_token(label):
            raise ModuleRefused(f"cannot create the token {label}: it exists already")
        with staged(environment) as staging:
            staged_library = Library(module, {**environment, **staging.environment})
            staged_library.reset()
            so_pin = secrets.token_urlsafe(18)
            created = _make(staged_library, label, pin, so_pin, recovery_key)
            keystore = PKCS11KeyStore(staged_library, label, pin, latch, uses)
            keystore.ensure_open()
            before_the_move(keystore)
            keystore.close()
            staging.move()
        return created
    except PKCS11Error as error:
        raise ModuleRefused(f"cannot create the root: the module answers {faults.name(error)}") from None


def _make(library: Library, label: str, pin: str, so_pin: str, recovery_key: RecoveryKey | None) -> Created:
    library.create_token(label, so_pin)
    session = library.token(label).open(rw=True, so_pin=so_pin, attribute_mapper=attributes.Mapper())
    session.init_pin(pin)
    identifier = uuid.uuid4()
    kek = session.generate_key(
        KeyType.AES,
        256,
        id=identifier.bytes,
        label=f"{KEK_LABEL} {_FIRST_GENERATION}",
        capabilities=attributes.WRAPPING,
        template=attributes.KEK_ORIGINAL,
    )
    trusted = recovery_key.enter(session) if recovery_key else None
    library.become_user(session, pin)
    root_kek = kek.copy(attributes.KEK_COPY)
    kek.destroy()
    mac_key = session.generate_key(
        KeyType.GENERIC_SECRET,
        256,
        id=identifier.bytes,
        label=f"{MAC_LABEL} {_FIRST_GENERATION}",
        store=True,
        capabilities=attributes.SIGNING,
        template=attributes.MAC_KEY,
    )
    recovery = None
    if recovery_key is not None:
        recovery = recovery_key.wrap(trusted, str(identifier), root_kek, mac_key)
    session.close()
    return Created(str(identifier), so_pin, recovery)
