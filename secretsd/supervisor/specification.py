"""What the supervisor is told: children and the sockets on which they listen, as data only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

MAX_CONFIGURATION_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class UnixListener:
    """A stream socket at `path`, of this mode, owned by the uid that may connect; None leaves the owner as it is."""

    path: Path
    mode: int = 0o600
    owner: int | None = None
    group: int | None = None

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class TCPListener:
    """A TCP socket; port 0 takes any free one, which `Supervisor.addresses` then tells."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class InheritedListener:
    """A socket that systemd opened: its FileDescriptorName, and which one of those that share the name."""

    name: str
    index: int = 0

    def __str__(self) -> str:
        return f"the socket {self.name!r} from systemd"


Listener = UnixListener | TCPListener | InheritedListener


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One child process.

    `argv` starts with an absolute path and holds no secret: it can be read by anybody. `configuration` is the JSON
    document for descriptor 0 and may hold the PIN. Listeners come as descriptors 4, 5, … in their order; equal
    listeners of several children are one socket. Before the first start the children named in `after` must be ready,
    or have failed once, unless the child `waits_itself` for what it needs of them and can load in the meantime; when
    all stops, it stops before them. One that `reloads` hears of SIGHUP while it serves. `stall_seconds` is how long a
    ping may stay unanswered, `start_seconds` how long the child may take to become ready.
    """

    name: str
    argv: tuple[str, ...]
    uid: int
    gid: int
    configuration: bytes = field(repr=False)
    listeners: tuple[Listener, ...] = ()
    after: tuple[str, ...] = ()
    waits_itself: bool = False
    reloads: bool = False
    stall_seconds: float = 5.0
    start_seconds: float = 30.0
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.argv or not self.argv[0].startswith("/"):
            raise ValueError(f"cannot start {self.name}: its program is no absolute path")
        if len(self.configuration) > MAX_CONFIGURATION_BYTES:
            raise ValueError(f"cannot start {self.name}: its configuration is over the limit")
