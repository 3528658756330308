"""How long the module took for what, and what it answered instead: numbers for whoever watches the key store."""

from bisect import bisect_left
from collections import Counter

from secretsd.adapters.keystore_process import messages as m
from secretsd.domain.key_specs import KeySpec
from secretsd.ports.keystore import TIME_BUCKETS as BUCKETS


class _Times:
    """One histogram, and the seconds in all."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.seconds = 0.0
        self.counts = [0] * (len(BUCKETS) + 1)


class CallTimes:
    """Histograms by kind of call and spec, and errors of the module by name (a PKCS#11 return value, never a text)."""

    def __init__(self) -> None:
        self._times: dict[tuple[type[m.KeyCall], KeySpec], _Times] = {}
        self.errors: Counter[str] = Counter()

    def took(self, what: tuple[type[m.KeyCall], KeySpec], seconds: float) -> None:
        """One call, `what` being its kind and spec."""
        times = self._times.get(what)
        if times is None:
            times = self._times[what] = _Times()
        times.counts[bisect_left(BUCKETS, seconds)] += 1
        times.seconds += seconds

    def failed(self, error: str) -> None:
        """The module answered this instead of working."""
        self.errors[error] += 1

    def told(self) -> tuple[dict[str, float], dict[str, list[int]], dict[str, int]]:
        """Seconds in all and histograms by what was done ("sign RSA_2048"), and errors by name."""
        named = {f"{call.__struct_config__.tag} {spec.value}": times for (call, spec), times in self._times.items()}
        seconds = {name: times.seconds for name, times in named.items()}
        return seconds, {name: times.counts for name, times in named.items()}, dict(self.errors)
