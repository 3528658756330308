"""When a call is tried again: what failed in passing, what may be repeated, and never past the deadline."""

from dataclasses import dataclass
from secrets import SystemRandom

from secretsd.client.errors import DaemonUnavailable
from secretsd.client.messages import Outgoing
from secretsd.domain.errors import ErrorKind, SecretsdError

PASSING = frozenset(
    {
        ErrorKind.ROTATION_IN_PROGRESS,
        ErrorKind.THROTTLED,
        ErrorKind.KEYSTORE_UNAVAILABLE,
        ErrorKind.STORAGE_UNAVAILABLE,
    }
)
"""The kinds that come with 429 or 503: the daemon did nothing and may do it in a moment."""

_uniform = SystemRandom().uniform
_MOST_DOUBLINGS = 30


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how patiently. `attempts` counts the first try; waits double from the first to the longest."""

    attempts: int = 4
    first_wait_seconds: float = 0.1
    longest_wait_seconds: float = 5.0

    def wait_seconds(self, outgoing: Outgoing, error: SecretsdError, attempt: int, left_seconds: float) -> float | None:
        """Seconds until the next try, or None when `error` is the answer.

        `attempt` is 1 after the first try. What surely never left may be sent again whatever it is; what may have
        arrived only if it is repeatable. A wait that the daemon asks for is kept to, or not begun: when it does not
        fit into `left_seconds`, the caller learns at once and decides himself.
        """
        if attempt >= self.attempts:
            return None
        if isinstance(error, DaemonUnavailable):
            if error.sent and not outgoing.repeatable:
                return None
        elif error.kind not in PASSING or not outgoing.repeatable:
            return None
        wait = max(self.backoff_seconds(attempt), error.retry_after_seconds or 0)
        return wait if wait < left_seconds else None

    def backoff_seconds(self, attempt: int) -> float:
        """Our own wait after so many tries, a random share of it: who failed together does not come back together."""
        backoff = min(self.first_wait_seconds * 2 ** min(attempt - 1, _MOST_DOUBLINGS), self.longest_wait_seconds)
        return _uniform(backoff / 2, backoff)
