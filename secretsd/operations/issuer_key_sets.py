"""What issuers of JWTs publish as their keys: fetched when it is needed, kept while the other side is away."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from secretsd.domain.errors import InvalidRequest, Throttled
from secretsd.operations import jwks
from secretsd.operations.jwks import KeySet, VerificationKey
from secretsd.ports.issuer_keys import IssuerKeys, KeysUnavailable

log = logging.getLogger("secretsd.issuers")
FRESH_SECONDS = 600.0
"""How long a set is used before it is fetched again: so long may a key live that its issuer took back."""
STALE_SECONDS = 2 * FRESH_SECONDS
"""From this age on a call waits while the set is fetched: the first token after quiet hours must not slip in."""
PAUSE_SECONDS = 60.0
"""The shortest time between two fetches, whatever kids callers make up."""
RETRY_SECONDS = 10.0
"""That time where a fetch failed and no set is there to go on with."""
MAX_AGE_SECONDS = 24 * 3600.0 - FRESH_SECONDS
"""How old a set may be. A token that was found good is not looked at again for FRESH_SECONDS: 24 hours together."""
MAX_WAITING = 64
"""How many calls wait for one fetch: a URL that hangs must not hold all calls that a worker may have under way."""
NEVER = float("-inf")


@dataclass(slots=True)
class Published:
    """A URL's set as it was fetched last, and what is wrong there, "" for nothing. Times are the monotonic clock's."""

    keys: KeySet | None = None
    fetched: float = NEVER
    tried: float = NEVER
    problem: str = ""
    fetching: asyncio.Task[None] | None = None
    waiting: int = 0


class IssuerKeySets:
    """One a worker. `on_change` hears of each URL whose set has become another one."""

    def __init__(
        self, source: IssuerKeys, on_change: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._source = source
        self._on_change = on_change
        self._clock = clock
        self._published: dict[str, Published] = {}

    async def key(self, url: str, kid: str | None, algorithm: str) -> VerificationKey | None:
        """The key at the URL that a token's header means; None where there is none, or none can be had now.

        Throttled where too many calls wait for the URL already.
        """
        one = self._published.setdefault(url, Published())
        age = self._clock() - one.fetched
        if age >= MAX_AGE_SECONDS:
            one.keys = None
        found = one.keys.key(kid, algorithm) if one.keys is not None else None
        if found is None or age >= FRESH_SECONDS:
            self._fetch(url, one)
        if one.fetching is None or (found is not None and age < STALE_SECONDS):
            return found
        if one.waiting >= MAX_WAITING:
            raise Throttled("cannot wait for the keys of a token issuer with more callers now", retry_after_seconds=1)
        one.waiting += 1
        try:
            await asyncio.wait([one.fetching])
        finally:
            one.waiting -= 1
        return one.keys.key(kid, algorithm) if one.keys is not None else None

    def state(self, url: str) -> tuple[int | None, str]:
        """How many seconds ago the set was fetched, None for never, and what is wrong at the URL, "" for nothing."""
        one = self._published.get(url)
        if one is None or one.keys is None:
            return None, "" if one is None else one.problem
        return int(self._clock() - one.fetched), one.problem

    def keep(self, urls: Collection[str]) -> None:
        """Forget what was fetched from any other URL."""
        for url in [one for one in self._published if one not in urls]:
            del self._published[url]

    def _fetch(self, url: str, one: Published) -> None:
        """Begin to fetch, unless that is under way or was tried a moment ago."""
        pause = RETRY_SECONDS if one.keys is None else PAUSE_SECONDS
        if one.fetching is None and self._clock() - one.tried >= pause:
            one.tried = self._clock()
            one.fetching = asyncio.create_task(self._fetched(url, one))

    async def _fetched(self, url: str, one: Published) -> None:
        before, problem = one.keys, ""
        began = self._clock()
        try:
            document = await self._source.fetch(url)
            one.keys = jwks.read(document)
            one.fetched = began
        except KeysUnavailable as error:
            problem = error.reason
        except InvalidRequest as error:
            problem = error.message
        except Exception as error:  # noqa: BLE001  # whatever it is, it is this issuer's trouble alone
            problem = type(error).__name__
        finally:
            one.fetching = None
        if problem and problem != one.problem:
            log.warning("cannot renew the keys of %s: %s", url, problem)
        one.problem = problem
        if before is not None and one.keys is not before and _names(before) != _names(one.keys):
            self._on_change(url)


def _names(keys: KeySet | None) -> list[object]:
    return [] if keys is None else [(key.kid, key.algorithms, key.key) for key in keys.keys]
