"""How long the module took for what, and what it answered instead: numbers for whoever watches the key store."""

from bisect import bisect_left
from collections import Counter

from secretsd.ports.keystore import TIME_BUCKETS as BUCKETS


class CallTimes:
    """Histograms by kind of call and spec, and errors of the module by name (a PKCS#11 return value, never a text)."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.counts: dict[str, list[int]] = {}
        self.errors: Counter[str] = Counter()

    def took(self, what: str, seconds: float) -> None:
        """One call, `what` being its kind and spec."""
        counts = self.counts.get(what)
        if counts is None:
            counts = self.counts[what] = [0] * (len(BUCKETS) + 1)
        counts[bisect_left(BUCKETS, seconds)] += 1
        self.seconds[what] = self.seconds.get(what, 0.0) + seconds

    def failed(self, error: str) -> None:
        """The module answered this instead of working."""
        self.errors[error] += 1

    def told(self) -> tuple[dict[str, float], dict[str, list[int]], dict[str, int]]:
        """Seconds in all and histograms by what was done, and errors by name."""
        return self.seconds, self.counts, dict(self.errors)
