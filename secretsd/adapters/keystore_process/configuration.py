"""What the supervisor hands the keystore process on descriptor 0, and what its ceremonies answer on descriptor 1."""

import sys
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from secretsd.adapters.pkcs11.matrix import Ability
from secretsd.domain.root_keys import RootKey

Command = Literal[
    "serve",
    "probe",
    "initialise",
    "roots",
    "attest",
    "rotate-root",
    "use-root",
    "destroy-root",
    "send-root",
    "receive-root",
]


class Configuration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One JSON document. `probe` only looks, `serve` serves, all others are ceremonies (`ceremonies.py`).

    All but `serve` answer by a JSON line on descriptor 1.

    module              path of the PKCS#11 library
    token_label, pin    the token and its user PIN
    environment         set before the library is loaded, e.g. SOFTHSM2_CONF
    data_dir            an existing directory that this process alone owns: counters, sealed storage key, PIN latch
    allowed_uids        who may connect
    listen_fd           the listening Unix socket, for `serve`
    lane                which of the two processes this is, for `serve`: each counts and locks by itself
    max_loaded_keys     how many CMKs are kept as session objects
    rate_per_account    operations per second that each account may ask for; 0 is no limit
    flush_seconds       within a batch, answers wait no longer than this for the rest of it
    stalled_seconds     a peer that takes no answers for so long is dropped
    recovery_public_key, refuse_recovery   where a root is made: one of the two must be given
    so_pin              the security officer's PIN, where a key has to be trusted
    generation          which root, where not the one that wraps now
    hold                a new root wraps nothing until `use-root`
    receiver_public_key for `send-root`: the key of the token that receives
    document_fd         where `receive-root` reads the wrapped root from, to its end
    """

    command: Command
    module: str
    token_label: Annotated[str, Meta(min_length=1, max_length=32)]
    pin: Annotated[str, Meta(min_length=4, max_length=255)]
    data_dir: str
    environment: dict[str, str] = {}
    allowed_uids: list[int] = []
    listen_fd: int = 4
    lane: Literal["fast", "slow"] = "fast"
    max_loaded_keys: Annotated[int, Meta(ge=1, le=100_000)] = 1000
    rate_per_account: Annotated[float, Meta(ge=0)] = 20_000
    flush_seconds: Annotated[float, Meta(gt=0)] = 0.001
    stalled_seconds: Annotated[float, Meta(gt=0)] = 10
    recovery_public_key: str | None = None
    refuse_recovery: bool = False
    so_pin: Annotated[str, Meta(min_length=4, max_length=255)] | None = None
    generation: Annotated[int, Meta(ge=1)] | None = None
    hold: bool = False
    receiver_public_key: str | None = None
    document_fd: int = 4

    def __repr__(self) -> str:
        """Without its fields: one is the PIN."""
        return "Configuration(…)"


class Initialised(msgspec.Struct, frozen=True):
    """The one line that `initialise` prints. `so_pin` is nowhere else: the operator keeps it, off this host."""

    kek_id: str
    so_pin: str
    recovery: dict[str, Any] | None
    check: str = ""
    fixed: bool = False

    def __repr__(self) -> str:
        """Without its fields: one is the security officer's PIN."""
        return "Initialised(…)"


class Probed(msgspec.Struct, frozen=True):
    """The one line that `probe` prints; `reason` is empty where the module can be used, and then there are lines.

    `renewable` says whether a new root can be made beside this one, and keys moved to it.
    """

    usable: bool
    reason: str
    module: str
    token: str
    kek_id: str
    abilities: list[Ability]
    renewable: bool = True


class Rotated(msgspec.Struct, frozen=True):
    """The one line that `rotate-root` prints."""

    root: RootKey
    check: str
    recovery: dict[str, Any] | None


class Listed(msgspec.Struct, frozen=True):
    """The one line that `roots`, `use-root` and `destroy-root` print: all generations, and which one wraps now.

    `storage_key` is the generation under which the key that authenticates storage rows is sealed.
    """

    roots: tuple[RootKey, ...]
    current: str
    storage_key: str
    checks: dict[str, str]


class Waiting(msgspec.Struct, frozen=True):
    """The first line that `receive-root` prints: the key that the root has to be wrapped for."""

    public_key: str


class Arrived(msgspec.Struct, frozen=True):
    """The second one. `so_pin` is that of a token that was made for it, else None, and is nowhere else."""

    kek_id: str
    generation: int
    check: str
    so_pin: str | None
    fixed: bool

    def __repr__(self) -> str:
        """Without its fields: one is the security officer's PIN."""
        return "Arrived(…)"


def answer(result: msgspec.Struct | dict[str, Any]) -> None:
    """Print one line."""
    sys.stdout.buffer.write(msgspec.json.encode(result) + b"\n")
    sys.stdout.buffer.flush()
