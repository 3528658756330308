"""How a server fails us, told by SQLSTATE codes: never by its text, which may be in any language and quote anything."""

from secretsd.ports.rotator import RotationFailed

_AWAY = {
    "57P03": "target-starting",
    "57P01": "target-stopping",
    "57P02": "target-stopping",
    "53300": "target-too-many-connections",
    "25006": "target-read-only",
    "53100": "target-disk-full",
    "53200": "target-out-of-memory",
    "53400": "target-limit-exceeded",
    "57014": "target-slow",
    "25P03": "target-slow",
}


class Refused(Exception):
    """The server knows this login and password not to be good."""


class ConnectionLost(Exception):
    """The connection ended, or answered too late, after something had been sent: what became of that is unknown."""


class ServerError(Exception):
    """The server's definite answer that a statement failed. `code` is its SQLSTATE."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def away(code: str) -> RotationFailed | None:
    """The failure that a code stands for where the server only cannot do it now; None for any other code."""
    reason = _AWAY.get(code) or ("target-unreachable" if code.startswith("08") else None)
    return RotationFailed(reason, away=True) if reason else None
