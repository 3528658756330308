"""How much each account may ask for: a token bucket per account, so that none takes the HSM for itself."""

import time

_MOST_BUCKETS = 10_000


class AccountRates:
    """`per_second` operations for each account, and as many at once after a pause; 0 is no limit."""

    def __init__(self, per_second: float) -> None:
        self._rate = per_second
        self._buckets: dict[str, tuple[float, float]] = {}

    def allows(self, account: str, before: float = 0.0) -> bool:
        """Whether `take` would allow one operation once `before` are taken; nothing is taken now."""
        level, _ = self._level(account)
        return self._rate == 0 or level - before >= min(1.0, self._rate)

    def take(self, account: str, cost: float = 1.0) -> bool:
        """Whether the account may do this now; what it may is taken from its bucket."""
        if self._rate == 0:
            return True
        level, now = self._level(account)
        allowed = level >= min(cost, self._rate)
        self._buckets[account] = (level - cost if allowed else level, now)
        if len(self._buckets) > _MOST_BUCKETS:
            self._forget_full(now)
        return allowed

    def _level(self, account: str) -> tuple[float, float]:
        """What is in the account's bucket, and the moment of that."""
        now = time.monotonic()
        level, since = self._buckets.get(account, (self._rate, now))
        return min(self._rate, level + (now - since) * self._rate), now

    def _forget_full(self, now: float) -> None:
        """A full bucket is what an unknown account has: forgetting it changes nothing."""
        self._buckets = {
            account: (level, since)
            for account, (level, since) in self._buckets.items()
            if level + (now - since) * self._rate < self._rate
        }
