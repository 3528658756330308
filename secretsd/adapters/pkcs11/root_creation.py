"""Making the root: a new token, a root KEK that only a trusted key or none can wrap, a MAC key, a way back."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pkcs11.exceptions import PKCS11Error

from secretsd.adapters.pkcs11 import attributes, faults, trusted_wrapping
from secretsd.adapters.pkcs11.faults import ModuleRefused
from secretsd.adapters.pkcs11.held_keys import UseCounter
from secretsd.adapters.pkcs11.library import Library
from secretsd.adapters.pkcs11.pin_latch import PinLatch
from secretsd.adapters.pkcs11.pkcs11_keystore import PKCS11KeyStore
from secretsd.adapters.pkcs11.recovery import RecoveryKey
from secretsd.adapters.pkcs11.root_generation import MadeRoot, make_fixed, make_generation
from secretsd.adapters.pkcs11.root_history import WrittenRoots
from secretsd.adapters.pkcs11.token_staging import Staging, staged
from secretsd.domain.root_keys import RootKey

FIRST_GENERATION = 1


@dataclass(frozen=True, slots=True)
class Created:
    """A new root. `so_pin` is told this once: with it and the PIN another trusted key can be made."""

    root: MadeRoot
    so_pin: str


def create_root(
    module: str,
    environment: Mapping[str, str],
    label: str,
    pin: str,
    latch: PinLatch,
    uses: UseCounter,
    recovery_key: RecoveryKey | None,
    before_the_move: Callable[[PKCS11KeyStore, MadeRoot], None],
) -> Created:
    """Make a token named `label` with its root keys, prove it as at every start, and only then put it in its place.

    `before_the_move` uses the proved key store for what must exist with the root. `recovery_key` None is the
    operator's explicit refusal of a recovery wrap. ModuleRefused, with nothing left behind on SoftHSM2, when the
    token exists already or the module cannot do it.
    """
    library = Library(module, environment)
    try:
        with new_token(library, environment, label, pin) as (staged_library, session, so_pin, staging):
            # The way out for modules without trusted keys is weaker only in that the root is for good: said, not asked.
            make = make_generation if trusted_wrapping.offered(session) else make_fixed
            made = make(staged_library, session, pin, FIRST_GENERATION, recovery_key, lambda _: None)
            session.close()
            keystore = PKCS11KeyStore(staged_library, label, pin, latch, uses)
            known = RootKey(made.kek_id, made.generation, 0, fixed=made.fixed, check=made.check)
            keystore.token.session.written = lambda: WrittenRoots({made.kek_id: known})
            keystore.token.ensure_open()
            before_the_move(keystore, made)
            keystore.token.close()
            staging.move()
        return Created(made, so_pin)
    except PKCS11Error as error:
        raise ModuleRefused(f"cannot create the root: the module answers {faults.name(error)}") from None


@contextmanager
def new_token(
    library: Library, environment: Mapping[str, str], label: str, pin: str
) -> Iterator[tuple[Library, Any, str, Staging]]:
    """A new token in its staging place: the library, a session of its security officer's, his PIN, and the staging."""
    if library.has_token(label):
        raise ModuleRefused(f"cannot create the token {label}: it exists already")
    with staged(environment) as staging:
        staged_library = Library(library.module, {**environment, **staging.environment})
        staged_library.reset()
        so_pin = secrets.token_urlsafe(18)
        staged_library.create_token(label, so_pin)
        session = staged_library.token(label).open(rw=True, so_pin=so_pin, attribute_mapper=attributes.Mapper())
        session.init_pin(pin)
        yield staged_library, session, so_pin, staging
