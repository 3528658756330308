"""What the supervisor hands the keystore process on descriptor 0."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class Configuration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One JSON document. `initialise` makes token and root; `probe` only looks; both answer one JSON line on fd 1.

    module              path of the PKCS#11 library
    token_label, pin    the token and its user PIN
    environment         set before the library is loaded, e.g. SOFTHSM2_CONF
    data_dir            an existing directory that this process alone owns: counters, sealed storage key, PIN latch
    allowed_uids        who may connect
    listen_fd           the listening Unix socket, for `serve`
    max_loaded_keys     how many CMKs are kept as session objects
    rate_per_account    operations per second that each account may ask for; 0 is no limit
    flush_seconds       within a batch, answers wait no longer than this for the rest of it
    stalled_seconds     a peer that takes no answers for so long is dropped
    recovery_public_key, refuse_recovery   for `initialise`: one of the two must be given
    """

    command: Literal["serve", "initialise", "probe"]
    module: str
    token_label: Annotated[str, Meta(min_length=1, max_length=32)]
    pin: Annotated[str, Meta(min_length=4, max_length=255)]
    data_dir: str
    environment: dict[str, str] = {}
    allowed_uids: list[int] = []
    listen_fd: int = 4
    max_loaded_keys: Annotated[int, Meta(ge=1, le=100_000)] = 1000
    rate_per_account: Annotated[float, Meta(ge=0)] = 20_000
    flush_seconds: Annotated[float, Meta(gt=0)] = 0.001
    stalled_seconds: Annotated[float, Meta(gt=0)] = 10
    recovery_public_key: str | None = None
    refuse_recovery: bool = False

    def __repr__(self) -> str:
        """Without its fields: one is the PIN."""
        return "Configuration(…)"


class Initialised(msgspec.Struct, frozen=True):
    """The one line that `initialise` prints. `so_pin` is nowhere else: the operator keeps it, off this host."""

    kek_id: str
    so_pin: str
    recovery: dict[str, str] | None

    def __repr__(self) -> str:
        """Without its fields: one is the security officer's PIN."""
        return "Initialised(…)"


class Probed(msgspec.Struct, frozen=True):
    """The one line that `probe` prints; `reason` is empty where the module can be used."""

    usable: bool
    reason: str
    module: str
    kek_id: str
