"""A process that waits for a file to change and strikes at once: `python -m … FILE SIGNAL SECONDS PID`.

In a process of its own, because no thread beside busy ones would come in time. It prints `waiting`, then `struck` or
`nothing`. A process is struck by its pidfd: a pid could have been given to somebody else in the meantime.
"""

import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from secretsd.testing.iv_hunt.counts import stamp


def main(arguments: Sequence[str]) -> None:
    """Wait and strike."""
    path, number, seconds, victim = Path(arguments[0]), int(arguments[1]), float(arguments[2]), int(arguments[3])
    fd = os.pidfd_open(victim)
    before = stamp(path)
    _say("waiting")
    deadline = time.monotonic() + seconds
    while stamp(path) == before:
        if time.monotonic() > deadline:
            _say("nothing")
            return
    try:
        signal.pidfd_send_signal(fd, number)
    except ProcessLookupError:
        _say("nothing")
        return
    _say("struck")


def _say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
