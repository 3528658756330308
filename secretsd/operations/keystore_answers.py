"""Whether the key store answers, for those who need nothing of it and must be told what those are who do."""

import asyncio
from collections.abc import Callable

from secretsd.domain.errors import KeyStoreUnavailable, SecretsdError
from secretsd.ports.keystore import KeyStore

FRESH_SECONDS = 0.1
"""How long an answer counts: those who prove nothing cost the HSM ten of its smallest calls a second at most."""
_ASKED_BYTES = 16


class KeyStoreAnswers:
    """One a worker. `now` tells seconds of a monotonic clock."""

    def __init__(self, keystore: KeyStore, now: Callable[[], float]) -> None:
        self._keystore = keystore
        self._now = now
        self._away = False
        self._until = 0.0
        self._asking = asyncio.Lock()

    def heard(self, *, away: bool) -> None:
        """Note what became of a call that somebody else made."""
        self._away, self._until = away, self._now() + FRESH_SECONDS

    async def require(self) -> None:
        """Raise KeyStoreUnavailable where it does not answer; it is asked, unless that was heard just now.

        Of many who want to know one asks. While it was away when it was heard of last the others do not wait for that,
        or a storm of them would fill the worker.
        """
        if self._now() >= self._until:
            if self._away and self._asking.locked():
                raise unavailable()
            async with self._asking:
                if self._now() >= self._until:
                    await self._ask()
        if self._away:
            raise unavailable()

    async def _ask(self) -> None:
        away = False
        try:
            await self._keystore.random(_ASKED_BYTES)
        except KeyStoreUnavailable:
            away = True
        except SecretsdError:
            pass  # a no is an answer, too
        self.heard(away=away)


def unavailable() -> KeyStoreUnavailable:
    """What everybody is told alike, whichever call failed and why."""
    return KeyStoreUnavailable(retry_after_seconds=1)
