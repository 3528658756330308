"""TLS client certificates as proofs of identity: from the chain that a peer sent to the binding that it leads to."""

import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from secretsd.domain.certificate_names import NamesRefused, certificate_proofs
from secretsd.domain.errors import NotFound, Unauthenticated
from secretsd.domain.proofs import Binding, CertificateAuthority
from secretsd.operations import certificate_chains
from secretsd.operations.cache import RowCache
from secretsd.operations.certificate_chains import ChainRefused, Trusted
from secretsd.operations.rows import Rows
from secretsd.ports.storage import RecordName, Storage

log = logging.getLogger("secretsd.tls")
MAX_CHAINS = 10_000
"""Of how many chains a worker remembers what they prove."""
MAX_BAD_MS = 10_000
"""So long it is remembered that a chain proves nothing: time alone may make one good that was not valid yet."""
LOG_SECONDS = 60.0
MAX_LOGGED = 1_000


class CertificateRefused(Unauthenticated):
    """cannot tell who is calling: no valid proof of identity"""

    def __init__(self, reason: str) -> None:
        """`reason` is for the event and the log: a caller hears of every failure alike."""
        super().__init__()
        self.reason = reason


class ClientCertificate:
    """What a peer sent in the handshake, in DER, its own certificate first: one whose key it has, as that proved."""

    __slots__ = ("chain", "digest")

    def __init__(self, chain: Sequence[bytes]) -> None:
        self.chain = tuple(chain)
        self.digest = hashlib.sha256(b"".join(hashlib.sha256(one).digest() for one in self.chain)).hexdigest()


@dataclass(frozen=True, slots=True)
class _Remembered:
    """The proofs of a chain with the account of each, or why it has none; from when until when."""

    proofs: tuple[tuple[str, str], ...]
    reason: str
    from_ms: int
    until_ms: int


class TlsProofs:
    """One a worker. A chain is verified once and remembered until anything changes or it is over.

    Every call asks, so no connection outlives what it proved, however long it stays open.
    """

    def __init__(
        self,
        storage: Storage,
        rows: Rows,
        cache: RowCache,
        clock: Callable[[], float] = time.monotonic,
        max_chains: int = MAX_CHAINS,
    ) -> None:
        self._storage = storage
        self._rows = rows
        self._refresh = cache.refresh
        self._clock = clock
        self._max_chains = max_chains
        self._authorities: tuple[Trusted, ...] | None = None
        self._anchors: tuple[int, str] | None = None
        self._remembered: OrderedDict[str, _Remembered] = OrderedDict()
        self._bound: dict[str, Binding] = {}
        self._generation = 0
        self._bindings_generation = 0
        self._logged: dict[str, float] = {}
        cache.on_change(self._changed)

    async def binding(self, certificate: ClientCertificate, now_ms: int) -> Binding:
        """Whom the certificate leads to, in an account whose authority signed it; CertificateRefused for nobody."""
        if self.remembers(certificate, now_ms):
            found = self._remembered[certificate.digest]
        else:
            self._bound.pop(certificate.digest, None)
            found = await self._proven(certificate, now_ms)
        if found.reason:
            raise CertificateRefused(found.reason)
        bound = self._bound.get(certificate.digest)
        return bound or await self._binding_of(certificate.digest, found)

    async def anchors(self) -> tuple[int, str]:
        """The certificates of all authorities in PEM, for a handshake; the number is another one when they change."""
        self._refresh()
        while self._anchors is None or self._anchors[0] != self._generation:
            self._anchors = self._generation, "".join(one.record.certificates for one in await self._trusted())
        return self._anchors

    def remembers(self, certificate: ClientCertificate, now_ms: int) -> bool:
        """Whether its chain is known to be good or bad, so that no signature has to be verified."""
        found = self._remembered.get(certificate.digest)
        return found is not None and found.from_ms <= now_ms < found.until_ms

    async def _proven(self, certificate: ClientCertificate, now_ms: int) -> _Remembered:
        while True:
            generation = self._generation
            found = self._verified(certificate, await self._trusted(), now_ms)
            if generation == self._generation:
                break
        if found.reason:
            self._tell(found.reason)
        self._remembered[certificate.digest] = found
        self._remembered.move_to_end(certificate.digest)
        if len(self._remembered) > self._max_chains:
            dropped, _ = self._remembered.popitem(last=False)
            self._bound.pop(dropped, None)
        return found

    def _verified(self, certificate: ClientCertificate, authorities: Sequence[Trusted], now_ms: int) -> _Remembered:
        now = certificate_chains.moment(now_ms)
        proofs: list[tuple[str, str]] = []
        ends = []
        reason = "no authority of any account signed it, or what it came with"
        try:
            chain = certificate_chains.read_chain(certificate.chain)
            issuers = chain.issuers
            for authority in authorities:
                if issuers.isdisjoint(authority.subjects):
                    continue
                record = authority.record
                try:
                    until = certificate_chains.verify(authority, chain, now)
                    made = certificate_proofs(record.name, *certificate_chains.names(chain.leaf))
                    ends.append(until)
                    proofs += [(proof, record.account) for proof in made]
                except (ChainRefused, NamesRefused) as refused:
                    reason = f"{record.name}: {refused.reason}"
        except ChainRefused as refused:
            reason = refused.reason
        if not proofs:
            return _Remembered((), reason, now_ms, now_ms + MAX_BAD_MS)
        return _Remembered(tuple(proofs), "", now_ms, int(min(ends).timestamp() * 1000))

    async def _binding_of(self, digest: str, found: _Remembered) -> Binding:
        """A certificate whose names are bound to different users or roles says too much: it could be either."""
        generation = self._bindings_generation
        bound: list[Binding] = []
        for proof, account in found.proofs:
            try:
                binding = await self._rows.binding(proof)
            except NotFound:
                continue
            if binding.account == account:
                bound.append(binding)
        if len({(one.account, one.user, one.role) for one in bound}) > 1:
            raise self._refused(f"its names are bound to different users or roles: {_listed(bound)}")
        if not bound:
            proofs = ", ".join(proof for proof, _ in found.proofs[:4])
            raise self._refused(f"none of its names is bound to anybody: {proofs}")
        if generation == self._bindings_generation and digest in self._remembered:
            self._bound[digest] = bound[0]
        return bound[0]

    async def _trusted(self) -> tuple[Trusted, ...]:
        found = self._authorities
        if found is None:
            generation = self._generation
            read = [_read(record) for record in await self._storage.proofs.authorities()]
            found = tuple(one for one in read if one is not None)
            if generation == self._generation:
                self._authorities = found
        return found

    def _changed(self, names: Sequence[RecordName]) -> None:
        if not names or any(table == "certificate_authorities" for table, _ in names):
            self._generation += 1
            self._authorities = None
            self._remembered.clear()
            self._bound.clear()
        if not names or any(table == "bindings" for table, _ in names):
            self._bindings_generation += 1
            self._bound.clear()

    def _refused(self, reason: str) -> CertificateRefused:
        self._tell(reason)
        return CertificateRefused(reason)

    def _tell(self, reason: str) -> None:
        """Once a minute for each kind, as what a client writes into its certificates is in the reason's end."""
        now, kind = self._clock(), reason.partition(":")[0]
        if now - self._logged.get(kind, -LOG_SECONDS) >= LOG_SECONDS:
            self._logged[kind] = now
            log.warning("cannot accept a client certificate: %s", reason[:MAX_LOGGED])


def _read(record: CertificateAuthority) -> Trusted | None:
    """None for a record that cannot be read: it vouches for nothing, and the others go on."""
    try:
        certificates = certificate_chains.read_certificates(record.certificates)
        return certificate_chains.trusted(record, certificates, certificate_chains.read_lists(record.crl))
    except ValueError:
        log.error("cannot use certificate authority %s: its certificates or lists cannot be read", record.name)
        return None


def _listed(bound: Sequence[Binding]) -> str:
    return ", ".join(f"{one.proof} to {'role/' + one.role if one.role else 'user/' + one.user}" for one in bound)
