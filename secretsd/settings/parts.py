"""What secretsd can be told: each setting with its default, and the sentence that explains it."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal

CREDENTIAL = "credential:"
"""Before the name of a file that systemd hands over (LoadCredential=)."""
DEFAULT_CONFIG = Path("/etc/secretsd/secretsd.yaml")
SOFTHSM2_MODULE = "/usr/lib/softhsm/libsofthsm2.so"


def setting(default: Any, sentence: str) -> Any:
    """A field with its default and the sentence that explains it; `config/secretsd.yaml` carries the same sentence."""
    return field(default=default, metadata={"sentence": sentence})


@dataclass(frozen=True, slots=True)
class UnixSettings:
    """The native API on a Unix socket."""

    path: str = setting("/run/secretsd/secretsd.sock", "Where the socket is; everybody may connect, a binding decides.")
    mode: int = setting(0o666, "Permissions of the socket file.")


@dataclass(frozen=True, slots=True)
class HTTPSettings:
    """The API over TCP."""

    listen: str | None = setting(
        None, "Address and port, such as 127.0.0.1:8280; null opens no TCP port. Beyond loopback it has to be TLS."
    )
    certificate: str | None = setting(
        None, "The certificate of TLS with those between, in PEM: a file, or credential:NAME; null serves plain HTTP."
    )
    private_key: str | None = setting(
        None, "Its key: a file that not everybody may read, or credential:NAME. Both are read again when they change."
    )
    client_certificates: bool = setting(
        True, "Ask clients for a certificate where there are certificate authorities; one without has other proofs."
    )


@dataclass(frozen=True, slots=True)
class KeystoreSettings:
    """The process that holds PIN and PKCS#11 module."""

    module: str = setting(SOFTHSM2_MODULE, "The PKCS#11 library.")
    token_label: str = setting("secretsd", "Label of the token that holds the root keys.")
    pin_file: str = setting(
        "credential:hsm-pin", "The user PIN: a file of mode 0600, or credential:NAME for one that systemd hands over."
    )
    environment: dict[str, str] = field(
        default_factory=dict,
        metadata={"sentence": "Variables that the library needs; SoftHSM2's own file is made for it."},
    )
    stall_seconds: float = setting(1.0, "A key store that answers nothing for so long is killed and started again.")
    call_seconds: float = setting(2.0, "The longest that a call waits for the key store.")
    slow_seconds: float = setting(
        30.0, "The same two bounds for what is slow in any HSM, in a process of its own: making RSA keys, using them."
    )
    max_loaded_keys: int = setting(1000, "How many keys are held as session objects at once.")
    rate_per_account: float = setting(20_000, "Key operations a second that one account may ask for; 0 is no limit.")
    rewraps_per_second: float = setting(
        100.0, "After a new root was made, how many stored key versions a second are moved to it at most."
    )


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """Where records and events are kept."""

    kind: Literal["sqlite"] = setting("sqlite", "The storage engine.")
    read_events: Literal["buffered", "durable"] = setting(
        "buffered", "Events of reads survive a crash of the daemon (buffered) or of the host too (durable, slower)."
    )


@dataclass(frozen=True, slots=True)
class UserSettings:
    """Three users, so that a fault in one process opens no other (names or numeric uids)."""

    worker: str = setting("secretsd", "Runs the workers and owns the storage.")
    keystore: str = setting("secretsd-keystore", "Runs the keystore process and owns token, counters and PIN latch.")
    rotator: str = setting("secretsd-rotator", "Runs the rotators and owns nothing.")


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """What workers keep in memory."""

    data_key_seconds: float = setting(300.0, "How long an unwrapped data key serves without the HSM; 0 keeps none.")
    max_data_keys: int = setting(20_000, "Most unwrapped data keys a worker keeps.")
    max_rows: int = setting(50_000, "Most rows a worker keeps.")


@dataclass(frozen=True, slots=True)
class RotationSettings:
    """Rotations by schedule."""

    rotators: tuple[str, ...] = setting(("random",), "The rotators that may load, by name.")
    min_interval_seconds: int = setting(3600, "The shortest interval that a schedule may ask for.")
    attempt_seconds: float = setting(60.0, "The longest that one step of a rotator may take.")
    escrow_dir: str | None = setting(
        None,
        "Holds candidates on their way to a target, for restores; null: escrow/ in state_dir; another disk is better.",
    )
    min_grace_seconds: int = setting(
        60, "The shortest time that a replaced login is left alone; the client's cache keeps a value that long."
    )


@dataclass(frozen=True, slots=True)
class TokenIssuerSettings:
    """How the keys of token issuers are fetched from their URLs."""

    ca_file: str | None = setting(
        None, "The authorities that the servers' certificates are checked by, in PEM; null: those of the host."
    )
    plain_loopback: bool = setting(
        False, "Also fetch by http from an address of this host: whoever listens there says who everybody is."
    )


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """What a caller may take."""

    header_seconds: float = setting(10.0, "The longest wait for a request's head.")
    body_seconds: float = setting(30.0, "The longest wait for a request's body.")
    idle_seconds: float = setting(300.0, "How long a connection without requests is kept.")
    max_connections: int = setting(4096, "Most connections a worker holds.")
    max_in_flight: int = setting(2048, "Most requests a worker works on at once; more are told to come again.")
    max_watchers: int = setting(1000, "Most connections of a worker that watch secrets; each counts as one of them.")
    requests_per_principal: float = setting(
        0.0, "Requests a second that a worker takes of one user or role; more get 429. 0 is no limit."
    )
    requests_per_account: float = setting(0.0, "The same for all users and roles of an account together.")
    free_failed_proofs: int = setting(
        20,
        "After so many failed proofs from an address or uid whoever fails again waits, longer each time; 0 is no wait.",
    )


@dataclass(frozen=True, slots=True)
class QuotaSettings:
    """How much one account may have; 0 is no limit."""

    secrets: int = setting(1_000_000, "Secrets, those that wait for their deletion included.")
    keys: int = setting(1_000_000, "Keys that are not destroyed.")
    users: int = setting(100_000, "Users.")
    tokens: int = setting(200_000, "Bearer tokens, of all users together.")
    groups: int = setting(10_000, "Groups.")
    roles: int = setting(100_000, "Roles.")
    policies: int = setting(100_000, "Policies; those within users, groups and roles are not counted.")
    bindings: int = setting(200_000, "Bindings.")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that secretsd can be told."""

    state_dir: str = setting(
        "/var/lib/secretsd", "Holds storage/, keystore/ and escrow/; back up the first two, each to a place of its own."
    )
    runtime_dir: str = setting("/run/secretsd", "Holds the sockets between the processes.")
    workers: int = setting(1, "How many worker processes serve; each is a complete node.")
    unix: UnixSettings = field(default_factory=UnixSettings)
    http: HTTPSettings = field(default_factory=HTTPSettings)
    keystore: KeystoreSettings = field(default_factory=KeystoreSettings)
    storage: StorageSettings = field(default_factory=StorageSettings)
    users: UserSettings = field(default_factory=UserSettings)
    cache: CacheSettings = field(default_factory=CacheSettings)
    rotation: RotationSettings = field(default_factory=RotationSettings)
    token_issuers: TokenIssuerSettings = field(default_factory=TokenIssuerSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    quotas: QuotaSettings = field(default_factory=QuotaSettings)

    @property
    def storage_dir(self) -> Path:
        """The workers' own directory."""
        return Path(self.state_dir, "storage")

    @property
    def escrow_dir(self) -> Path:
        """Where candidates of rotations are kept, apart from the storage."""
        return Path(self.rotation.escrow_dir or Path(self.state_dir, "escrow"))

    @property
    def keystore_dir(self) -> Path:
        """The keystore process's own directory."""
        return Path(self.state_dir, "keystore")

    @property
    def keystore_socket(self) -> Path:
        """Where workers reach the keystore process."""
        return Path(self.runtime_dir, "keystore.sock")

    @property
    def keystore_slow_socket(self) -> Path:
        """Where workers reach the keystore process of the slow lane."""
        return Path(self.runtime_dir, "keystore-slow.sock")

    @property
    def rotator_socket(self) -> Path:
        """Where workers reach the rotator host."""
        return Path(self.runtime_dir, "rotator.sock")


def address(text: str) -> tuple[str, int]:
    """Host and port of `127.0.0.1:8280` or `[::1]:8280`; ValueError for anything else."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    ip_address(host)
    if not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise ValueError("no port")
    return host, int(port)
