"""How a key store that serves learns of a new generation of the root: a ceremony beside it renews a file."""

from collections.abc import Callable

from secretsd.adapters.pkcs11.faults import ModuleRefused
from secretsd.adapters.pkcs11.pkcs11_keystore import PKCS11KeyStore
from secretsd.adapters.pkcs11.root_history import RootHistory
from secretsd.domain.errors import SecretsdError
from secretsd.domain.root_keys import RootKey


class NewRoots:
    """Looks at the file whenever somebody asks how the key store is, which costs a few microseconds."""

    def __init__(self, history: RootHistory, keystore: PKCS11KeyStore, log: Callable[[str], None]) -> None:
        self._history, self._keystore, self._log = history, keystore, log
        self._stamp = self._stamped()
        self._known: tuple[RootKey, ...] = ()
        self._known_of: tuple[object, ...] = ()

    def ensure(self) -> None:
        """Have the key store look at the token again if a ceremony was held since."""
        stamp = self._stamped()
        if stamp == self._stamp:
            return
        try:
            self._keystore.look_for_roots()
        except ModuleRefused as refused:
            self._log(f"{refused}; the new root is not used")
        except SecretsdError:
            return  # the token is away: once it is back we look again
        self._stamp = stamp

    def told(self) -> list[RootKey]:
        """All generations that are on the token or were."""
        on_token = self._keystore.root_generations
        known_of = (self._stamp, *on_token)
        if known_of != self._known_of:
            try:
                self._known = self._history.complete(on_token)
            except (OSError, ModuleRefused) as error:
                self._log(f"cannot tell the generations of the root: {error}")
                self._known = ()
            self._known_of = known_of
        return list(self._known)

    def _stamped(self) -> tuple[int, int]:
        try:
            return self._history.stamp()
        except OSError:
            return 0, 0
