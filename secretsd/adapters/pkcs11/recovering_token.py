"""A token that recovers from what modules do in between: whatever is done with it may be tried again.

When the module fails, the token is opened anew and the work tried again; when that fails, the library is initialised
anew; then the token is left alone for a while. Called from one thread.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from pkcs11.exceptions import PKCS11Error

from secretsd.adapters.pkcs11 import faults
from secretsd.adapters.pkcs11.faults import ModuleRefused
from secretsd.adapters.pkcs11.library import Library
from secretsd.adapters.pkcs11.pin_latch import PinLatch
from secretsd.adapters.pkcs11.token_session import RootMissing, TokenSession
from secretsd.domain.errors import KeyStoreUnavailable, Unsupported

_T = TypeVar("_T")
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 5.0
MOST_OBJECTS = 100_000
"""So many session objects are made before the library is initialised anew.

SoftHSM keeps some 250 bytes of each destroyed one until it is finalised (2.6.1; its issue 562): 25 MB at most. Keys are
then unwrapped again as they are used; no module is harmed by it, and it takes about as long as a hundred of its calls.
"""


class RecoveringToken:
    """One token. `dropped` is called whenever its sessions, and with them all session objects, are gone.

    `failed` hears the name of each error of the module's that had to be cured. After `most_objects` session objects
    the library is initialised anew.

    ModuleRefused, also out of any work, means that no restart will help (a refused PIN, a dishonest module).
    """

    def __init__(
        self,
        library: Library,
        label: str,
        pin: str,
        latch: PinLatch,
        dropped: Callable[[], None],
        failed: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._library, self._dropped, self._failed = library, dropped, failed
        self.most_objects = MOST_OBJECTS
        self.session = TokenSession(library, label, pin, latch)
        self._open = self._proved = False
        self._pause_seconds, self._not_before = 0.0, 0.0
        self._cures = (self._renew_session, self._renew_library, None)
        self.reason = "cannot use the token: it was not opened yet"
        self.recoveries = 0
        self.kek_id = ""

    @property
    def available(self) -> bool:
        """Whether the token is open; what an operation would find may differ."""
        return self._open

    @property
    def retry_after(self) -> float:
        """Seconds until the token may be tried again; 0 when it is open or may be tried now."""
        return 0.0 if self._open else max(0.0, self._not_before - time.monotonic())

    def ensure_open(self) -> None:
        """Open the token unless it is open; KeyStoreUnavailable when it cannot be now, ModuleRefused for good."""
        if self._open:
            return
        if time.monotonic() < self._not_before:
            raise KeyStoreUnavailable(self.reason, retry_after_seconds=1)
        for tries_left in (2, 1, 0):
            try:
                if tries_left < 2:
                    self._library.reset()
                self._reopen()
            except PKCS11Error as error:
                if tries_left:
                    continue  # opening uses the root's keys, so a second fault may come in the middle of it
                if isinstance(error, RootMissing) and not self._proved:
                    raise ModuleRefused(str(error)) from None
                self._leave_alone(error)
                raise KeyStoreUnavailable(self.reason, retry_after_seconds=1) from None
            return

    def run(self, work: Callable[[], _T]) -> _T:
        """Work on an open token; after a failure again on one opened anew, then on a library initialised anew."""
        if self.session.objects_made >= self.most_objects:
            self._renew_library()
        for cure in self._cures:
            if not self._open:
                self.ensure_open()
            try:
                return work()
            except PKCS11Error as error:
                self._failed(faults.name(error))
                if cure is None:
                    self._leave_alone(error)
                    break
                cure()
        raise KeyStoreUnavailable(self.reason, retry_after_seconds=1)

    def require_able(self, name: str) -> None:
        """Raise Unsupported, with the reason, for a spec or an algorithm that the module lacks."""
        self.ensure_open()
        if (reason := self.session.inabilities.get(name)) is not None:
            raise Unsupported(f"cannot do {name}: this HSM {reason}")

    def close(self) -> None:
        """Log out and finalise the library."""
        self._drop()
        self._library.close()

    def _renew_session(self) -> None:
        self._drop()
        self.recoveries += 1

    def _renew_library(self) -> None:
        self._drop()
        self.session.objects_made = 0
        try:
            self._library.reset()
        except PKCS11Error as error:
            self._leave_alone(error)

    def _reopen(self) -> None:
        self._drop()
        try:
            self.session.open()
            if self.session.current is not None:
                self.kek_id = self.session.current.kek_id
            if not self._proved:
                self.session.prove()
                self._proved = True
        except KeyStoreUnavailable as error:  # not the token's fault: what is written down cannot be read now
            self._wait(error.message)
            raise
        self._open, self._pause_seconds, self.reason = True, 0.0, ""

    def _drop(self) -> None:
        self._open = False
        self._dropped()
        self.session.close()

    def _leave_alone(self, error: PKCS11Error) -> None:
        self.recoveries += 1
        self._wait(f"cannot reach the key store: the token answers {faults.name(error)}")

    def _wait(self, reason: str) -> None:
        self._drop()
        self.reason = reason
        self._pause_seconds = min(max(2 * self._pause_seconds, _FIRST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)
        self._not_before = time.monotonic() + self._pause_seconds
