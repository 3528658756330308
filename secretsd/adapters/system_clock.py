"""The wall clock of this host."""

import time


class SystemClock:
    """Implements ports.time.Clock."""

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1_000_000
