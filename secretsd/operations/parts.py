"""What operations work with, put together once a worker from its adapters."""

from dataclasses import dataclass

from secretsd.domain.limits import NO_QUOTAS, Quotas
from secretsd.domain.records import RecordAuthenticator
from secretsd.operations.access_key_proofs import AccessKeyProofs
from secretsd.operations.authorizer import Authorizer
from secretsd.operations.cache import RowCache
from secretsd.operations.jwt_proofs import JwtProofs
from secretsd.operations.key_pairs import KeyPairs
from secretsd.operations.opened_secrets import OpenedSecrets
from secretsd.operations.proof_uses import ProofUses
from secretsd.operations.read_barrier import ReadBarrier
from secretsd.operations.rows import Rows
from secretsd.operations.sealing import Sealer
from secretsd.operations.tls_proofs import TlsProofs
from secretsd.operations.watchers import Watchers
from secretsd.ports.escrow import Escrow
from secretsd.ports.issuer_keys import IssuerKeys, NoIssuerKeys
from secretsd.ports.keystore import KeyStore
from secretsd.ports.rotator import RotatorHost
from secretsd.ports.storage import Storage
from secretsd.ports.time import Calendar, Clock


@dataclass(frozen=True, slots=True)
class Parts:
    """The adapters, and what the core builds on them: one row cache, and all that listens to it."""

    storage: Storage
    keystore: KeyStore
    rotators: RotatorHost
    escrow: Escrow
    calendar: Calendar
    clock: Clock
    authenticator: RecordAuthenticator
    cache: RowCache
    rows: Rows
    sealer: Sealer
    authorizer: Authorizer
    barrier: ReadBarrier
    watchers: Watchers
    key_pairs: KeyPairs
    issuer_keys: IssuerKeys
    jwt_proofs: JwtProofs
    tls_proofs: TlsProofs
    opened_secrets: OpenedSecrets
    access_key_proofs: AccessKeyProofs
    proof_uses: ProofUses
    min_interval_seconds: int
    min_grace_seconds: int
    quotas: Quotas


def assemble(
    *,
    storage: Storage,
    keystore: KeyStore,
    rotators: RotatorHost,
    escrow: Escrow,
    calendar: Calendar,
    clock: Clock,
    authenticator: RecordAuthenticator,
    max_rows: int = 50_000,
    data_key_seconds: float = 300.0,
    max_data_keys: int = 20_000,
    max_watchers: int = 1_000,
    min_interval_seconds: int = 3600,
    min_grace_seconds: int = 60,
    issuer_keys: IssuerKeys | None = None,
    quotas: Quotas = NO_QUOTAS,
) -> Parts:
    """The parts of one worker. The bounds are those of the settings of the same names."""
    cache = RowCache(storage, max_rows)
    issuer_keys = issuer_keys or NoIssuerKeys()
    rows = Rows(storage, cache)
    authorizer = Authorizer(rows, cache)
    opened_secrets = OpenedSecrets(storage, rows, cache, keystore, data_key_seconds)
    return Parts(
        storage,
        keystore,
        rotators,
        escrow,
        calendar,
        clock,
        authenticator,
        cache,
        rows,
        Sealer(keystore, data_key_seconds, max_data_keys),
        authorizer,
        ReadBarrier(rows, cache),
        Watchers(storage, rows, cache, authorizer, clock, max_watchers),
        KeyPairs(),
        issuer_keys,
        JwtProofs(storage, cache, issuer_keys),
        TlsProofs(storage, rows, cache),
        opened_secrets,
        AccessKeyProofs(rows, opened_secrets),
        ProofUses(storage),
        min_interval_seconds,
        min_grace_seconds,
        quotas,
    )
