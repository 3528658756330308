"""systemd's notification protocol, as much of it as a daemon needs."""

import os
import socket
from collections.abc import MutableMapping


class Notifier:
    """Tells systemd how the daemon is. Without systemd every call does nothing; none ever raises or blocks."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        """Takes systemd's variables out of `environment`, so that no child speaks in the daemon's name."""
        path = environment.pop("NOTIFY_SOCKET", "")
        microseconds = environment.pop("WATCHDOG_USEC", "")
        watched_pid = environment.pop("WATCHDOG_PID", str(os.getpid()))
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
        watched = self._socket is not None and watched_pid == str(os.getpid()) and microseconds.isdigit()
        # A third of the time, so that one late turn is no restart.
        self.watchdog_seconds = int(microseconds) / 3_000_000 if watched else None
        self._status = ""

    def ready(self) -> None:
        """Every child serves."""
        self._send("READY=1")

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1")

    def watchdog(self) -> None:
        """The loop turns."""
        self._send("WATCHDOG=1")

    def status(self, sentence: str) -> None:
        """A sentence for `systemctl status`; said again only when it changes."""
        if sentence != self._status:
            self._status = sentence
            self._send(f"STATUS={sentence}")

    def close(self) -> None:
        """Nothing more will be said."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, line: str) -> None:
        if self._socket is not None:
            try:
                self._socket.sendto(line.encode(), socket.MSG_NOSIGNAL, self._address)
            except OSError:
                return  # a service manager that does not listen must not stop the daemon
