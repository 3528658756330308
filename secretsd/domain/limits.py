"""What a caller may take: requests a second, tries at proving himself, and how much an account may hold.

Times are seconds of one monotonic clock. Everything here is bounded in memory, whoever calls.
"""

from collections.abc import Hashable
from dataclasses import dataclass

from secretsd.domain.errors import LimitExceeded

MAX_TRACKED = 100_000
"""Most principals or accounts whose rate is tracked at once."""
MAX_SOURCES = 20_000
"""Most addresses and uids whose failed proofs are remembered at once."""
FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 1.0, 30.0
FORGET_SECONDS = 600.0
"""A source without a failure for so long starts anew."""
_ROUNDING = 1e-6
"""What sums of many small times may be off by."""


class Rate:
    """So many a second for each of many, in bursts of up to a second's worth; 0 a second is no limit.

    The generic cell rate algorithm: of each one only the moment is kept at which all that it took would be paid for.
    """

    __slots__ = ("_ahead", "_paid", "_step", "limited")

    def __init__(self, per_second: float) -> None:
        self.limited = per_second > 0
        self._step = 1 / per_second if self.limited else 0.0
        self._ahead = max(1.0 - self._step, 0.0) + _ROUNDING
        self._paid: dict[Hashable, float] = {}

    def __len__(self) -> int:
        return len(self._paid)

    def wait(self, who: Hashable, now: float) -> float:
        """Seconds until one more may be taken; 0 or less where it may be now."""
        return self._paid.get(who, now) - now - self._ahead

    def take(self, who: Hashable, now: float) -> None:
        """Take one, whether or not it may be: ask first."""
        paid = self._paid.get(who, now)
        self._paid[who] = (max(now, paid)) + self._step
        if len(self._paid) > MAX_TRACKED:
            self._forget(now)

    def _forget(self, now: float) -> None:
        """Those who owe nothing; everybody where they are too few, or looking for them would be all that is done."""
        self._paid = {who: paid for who, paid in self._paid.items() if paid > now}
        if len(self._paid) > MAX_TRACKED // 2:
            self._paid.clear()


@dataclass(slots=True)
class _Failures:
    count: int
    last: float
    held_until: float


class BackOff:
    """Failed proofs by where they came from: after `free` of them each further one holds up the next one for longer.

    0 free ones turns it off. What is refused meanwhile counts as no failure, so that it ends.
    """

    __slots__ = ("_failures", "_free")

    def __init__(self, free: int) -> None:
        self._free = free
        self._failures: dict[Hashable, _Failures] = {}

    def __len__(self) -> int:
        return len(self._failures)

    def held(self, source: Hashable, now: float) -> float:
        """Seconds for which nothing is tried from there; 0 where it may be now."""
        found = self._failures.get(source)
        return 0.0 if found is None else max(found.held_until - now, 0.0)

    def failed(self, source: Hashable, now: float) -> None:
        """Count a failure."""
        if self._free <= 0:
            return
        found = self._failures.pop(source, None)
        if found is None or now - found.last > FORGET_SECONDS:
            found = _Failures(0, now, now)
        found.count, found.last = found.count + 1, now
        beyond = found.count - self._free
        if beyond >= 0:
            found.held_until = now + min(FIRST_DELAY_SECONDS * 2 ** min(beyond, 16), LONGEST_DELAY_SECONDS)
        self._failures[source] = found  # the last one again: the oldest make room
        if len(self._failures) > MAX_SOURCES:
            del self._failures[next(iter(self._failures))]


@dataclass(frozen=True, slots=True)
class Quotas:
    """How many an account may have of each; 0 is no limit. Keys that are destroyed do not count."""

    secrets: int = 0
    keys: int = 0
    users: int = 0
    tokens: int = 0
    groups: int = 0
    roles: int = 0
    policies: int = 0
    bindings: int = 0

    def of(self, table: str) -> int:
        """The quota of what stands in a table; 0 for no limit."""
        most: int = getattr(self, table) if table in QUOTA_TABLES else 0
        return most


def over_quota(table: str, most: int) -> LimitExceeded:
    """The error of an account that has all it may have; it names the setting."""
    return LimitExceeded(f"cannot go past the limit: an account has {most} {table} at most (quotas.{table})")


QUOTA_TABLES = ("secrets", "keys", "users", "tokens", "groups", "roles", "policies", "bindings")
"""The tables that have a quota, of that name."""
NO_QUOTAS = Quotas()
