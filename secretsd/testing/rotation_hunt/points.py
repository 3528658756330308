"""The points between the messages that the rotator sends: which methods there are, and what each of them sends."""

from dataclasses import dataclass

LOGGING_IN = ("startup", "sasl-1", "sasl-2")
POINTS: dict[str, tuple[str, ...]] = {
    "prepare": (*LOGGING_IN, "role", "admin-option", "comment", "alike-1", "alike-2", "terminate"),
    "apply": (*LOGGING_IN, "begin", "comment", "change", "terminate"),
    "settle": (*LOGGING_IN, "end", "left", "status", "terminate"),
    "probe": (*LOGGING_IN, "terminate"),
    "verify": (*LOGGING_IN, "who", "alike-1", "alike-2", "terminate"),
    "idle": (*LOGGING_IN, "in-use", "terminate"),
    "restore": (*LOGGING_IN, "begin", "comment", "change", "terminate"),
}
"""By method of the rotator, in the order in which the messages leave."""
ALTERNATING_ONLY = frozenset(
    [("prepare", "alike-1"), ("prepare", "alike-2"), ("verify", "alike-1"), ("verify", "alike-2")]
    + [("idle", message) for message in POINTS["idle"]]
)
_BEGINNINGS = {
    "SELECT r.rolcanlogin": "role",
    "SELECT pg_has_role": "admin-option",
    "SELECT shobj_description": "comment",
    "SELECT rolsuper, rolinherit": "alike",
    "BEGIN ": "begin",
    "ALTER ROLE ": "change",
    "SELECT pg_terminate_backend": "end",
    "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE": "left",
    "SELECT count(*) FROM pg_stat_activity WHERE usename": "in-use",
    "SELECT pg_xact_status": "status",
    "SELECT session_user, pg_is_in_recovery()": "who",
    "ROLLBACK": "rollback",
}
_NUMBERED = ("sasl", "alike")
_TELLING = {
    "role": "prepare",
    "admin-option": "prepare",
    "end": "settle",
    "left": "settle",
    "status": "settle",
    "who": "verify",
    "in-use": "idle",
}
"""Messages that only one method sends."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A message on its way: the method it is of, its name, and the rotation's stored state when it was sent."""

    method: str
    message: str
    state: str

    @property
    def point(self) -> tuple[str, str]:
        """Method and message."""
        return self.method, self.message


def name_of(text: str) -> str:
    """The name of a message as the proxy tells it, without a number; "" for one that nobody has foreseen."""
    if text in ("startup", "sasl", "terminate"):
        return text
    return next((name for beginning, name in _BEGINNINGS.items() if text.startswith(beginning)), "")


class Course:
    """Follows the messages of one secret's rotation, one connection after the other, and says what each one is."""

    def __init__(self) -> None:
        self.strangers: set[str] = set()
        self._method = ""
        self._counts: dict[str, int] = {}
        self._settled = False

    def follow(self, text: str, application_name: str, by_admin: bool, state: str) -> Passage:
        """The next message; name and role of its session say for which method it was opened."""
        name = name_of(text)
        if name == "startup":
            self._counts = {}
            self._method = self._opened(application_name, by_admin, state)
        self._method = _TELLING.get(name, self._method)
        if name == "begin" and self._method == "settle":
            self._method = "restore" if state == "rolling-back" else "apply"
        if name == "terminate":
            self._settled = self._method == "settle"
        number = self._counts[name] = self._counts.get(name, 0) + 1
        if not name or (self._method, name) in (("settle", "comment"), ("probe", "who")):
            self.strangers.add(" ".join(text.split()[:3]))
        numbered = name in _NUMBERED and number <= 2
        return Passage(self._method, f"{name}-{number}" if numbered else name or "unknown", state)

    def _opened(self, application_name: str, by_admin: bool, state: str) -> str:
        settled, self._settled = self._settled, False
        if not by_admin:
            return "verify" if state == "verifying" else "probe"
        if not application_name.startswith("secretsd:"):
            return "idle"
        if state in ("applying", "candidate-stored"):
            return "apply"
        if state == "rolling-back":
            return "restore" if settled else "settle"
        return "settle" if state in ("resolving", "verifying") else "prepare"
