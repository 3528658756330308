"""How long a dead child waits before it is started again."""

YOUNG_SECONDS = 1.0
FIRST_DELAY_SECONDS = 0.1
MAX_DELAY_SECONDS = 5.0


class Backoff:
    """The first restart is immediate; the wait grows only while the child keeps dying young.

    A child that served for a second has proved its worth: however often it is killed after that, it comes back at once.
    """

    def __init__(self) -> None:
        self._died_young = 0

    def died(self, served_seconds: float | None) -> float:
        """The seconds to wait now. `served_seconds` is how long it was ready, None when it never was."""
        if served_seconds is not None and served_seconds >= YOUNG_SECONDS:
            self._died_young = 0
            return 0.0
        self._died_young += 1
        if self._died_young == 1:
            return 0.0
        return min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(self._died_young - 2, 16))
