"""The cutting proxy of one secret's target, which also says of each message what the rotation was doing."""

from collections.abc import Callable
from typing import Any

from secretsd.testing.cutting_proxy import CuttingProxy, Fault
from secretsd.testing.rotation_hunt.points import Course, Passage


class WatchedProxy(CuttingProxy):
    """`state` tells the rotation's stored state. `hit` is the passage that was struck last."""

    def __init__(self, target_port: int, admin: str, state: Callable[[], str]) -> None:
        super().__init__(target_port)
        self.course = Course()
        self.hit: Passage | None = None
        self.last: Passage | None = None
        self._admin = admin
        self._state = state
        self._opened: dict[int, tuple[str, bool]] = {}

    def strike(self, fault: Fault, wanted: Callable[[Passage], bool]) -> None:
        """Arm the fault for the next message that is wanted."""
        self.hit = None

        def matches(_: str) -> bool:
            if self.last is None or not wanted(self.last):
                return False
            self.hit = self.last
            return True

        self.arm(fault, matches=matches)

    async def _pass(self, pipe: Any, text: str, data: bytes) -> None:
        # The struck message is chosen in there before anything is awaited, so `last` is still this one.
        if not pipe.dead and text != "encryption":
            if text == "startup":
                said = _parameters(data)
                name = said.get("application_name", "")
                self._opened[id(pipe)] = name, said.get("user", "") == self._admin
            name, by_admin = self._opened.get(id(pipe), ("", False))
            self.last = self.course.follow(text, name, by_admin, self._state())
        await super()._pass(pipe, text, data)


def _parameters(data: bytes) -> dict[str, str]:
    """What a client says of itself in its first message."""
    words = [word.decode(errors="replace") for word in data[8:].split(b"\0")]
    return dict(zip(words[::2], words[1::2], strict=False))
