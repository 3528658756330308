"""The kinds of targets that are simulated: machine, who changes the login, what the rotator can do."""

from dataclasses import dataclass

from secretsd.domain.rotation import MachineKind
from secretsd.ports.rotator import RotatorDescription

ROTATOR = "simulated"
TARGET = "simulated-target"
_SCHEMA = {"type": "object", "properties": {}, "additionalProperties": False}


@dataclass(frozen=True, slots=True)
class Profile:
    """A target as a case meets it. `alone` says that each login changes itself, without an administrator."""

    name: str
    machine: MachineKind
    logins: tuple[str, ...] = ("app",)
    alone: bool = False
    abilities: frozenset[str] = frozenset({"restore"})
    notes_first: bool = False

    @property
    def overlapping(self) -> bool:
        """Whether old and new are accepted together."""
        return self.machine is MachineKind.OVERLAPPING

    @property
    def described(self) -> RotatorDescription:
        """The rotator as the host describes it."""
        alternating = self.machine is MachineKind.ALTERNATING
        return RotatorDescription(
            ROTATOR,
            "simulated",
            _SCHEMA,
            self.abilities,
            MachineKind.SINGLE_USER if alternating else self.machine,
            None if self.machine is MachineKind.STANDALONE else _SCHEMA,
            self.notes_first,
        )


PROFILES = (
    Profile("single-user", MachineKind.SINGLE_USER, notes_first=True),
    Profile("single-user alone", MachineKind.SINGLE_USER, alone=True, notes_first=True),
    Profile("single-user for good", MachineKind.SINGLE_USER, abilities=frozenset()),
    Profile("alternating", MachineKind.ALTERNATING, ("app_a", "app_b"), abilities=frozenset({"restore", "idle"})),
    Profile("alternating alone", MachineKind.ALTERNATING, ("app_a", "app_b"), True, frozenset({"restore", "idle"})),
    Profile("overlapping", MachineKind.OVERLAPPING, abilities=frozenset({"restore", "revoke"})),
    Profile("standalone", MachineKind.STANDALONE, (), abilities=frozenset()),
)
"""`for good` can not go back: its rotator has no `restore`; it may change the target before it has noted anything."""
