"""JWTs as proofs of identity (RFC 7519, RFC 8725): from a bearer token with two dots to the proof that it makes up."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from secretsd.domain.errors import InvalidRequest, Unauthenticated
from secretsd.domain.proofs import TokenIssuer
from secretsd.domain.sensitive import Plaintext
from secretsd.domain.token_claims import claim_value, token_proof
from secretsd.operations import jwks
from secretsd.operations.cache import RowCache
from secretsd.operations.issuer_key_sets import FRESH_SECONDS, IssuerKeySets
from secretsd.operations.jwks import BadSignature, KeySet, VerificationKey
from secretsd.operations.jwt_claims import LEEWAY_SECONDS, Claims, Header, Refused, decoded, require_time, unverified
from secretsd.ports.issuer_keys import IssuerKeys
from secretsd.ports.storage import RecordName, Storage

log = logging.getLogger("secretsd.jwt")
MAX_TOKEN_BYTES = 16 * 1024
MAX_TOKENS = 10_000
"""How many tokens a worker remembers as found good."""
LOG_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class ProvenToken:
    """What a good token proves: `proof`, for the account of its issuer alone; when it was issued."""

    issuer: str
    account: str
    proof: str
    issued_ms: int


@dataclass(frozen=True, slots=True)
class _Remembered:
    token: ProvenToken
    url: str
    from_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class _Known:
    """An issuer with the keys that its record holds, None where they are at its URL."""

    record: TokenIssuer
    keys: KeySet | None


def is_jwt(token: Plaintext) -> bool:
    """Whether a bearer token has the form of a JWT: tokens of our own have no dots."""
    return len(token) <= MAX_TOKEN_BYTES and token.reveal().count(b".") == 2


class JwtProofs:
    """One a worker. Signatures are verified once a token and remembered by its digest, until anything changes.

    A caller hears of every failure alike; the log says why, at most once a minute for each issuer and reason.
    """

    def __init__(
        self,
        storage: Storage,
        cache: RowCache,
        source: IssuerKeys,
        clock: Callable[[], float] = time.monotonic,
        max_tokens: int = MAX_TOKENS,
    ) -> None:
        self._storage = storage
        self._refresh = cache.refresh
        self._clock = clock
        self._max_tokens = max_tokens
        self._sets = IssuerKeySets(source, self._keys_changed, clock)
        self._issuers: Mapping[tuple[str, str], _Known] | None = None
        self._remembered: OrderedDict[str, _Remembered] = OrderedDict()
        self._generation = 0
        self._logged: dict[tuple[str, str], float] = {}
        cache.on_change(self._changed)

    def hit(self, digest: str, now_ms: int) -> ProvenToken | None:
        """What the token of that digest proves, if that is remembered and still holds."""
        found = self._remembered.get(digest)
        if found is None or not found.from_ms <= now_ms < found.until_ms:
            return None
        self._remembered.move_to_end(digest)
        return found.token

    async def proven(self, token: Plaintext, digest: str, now_ms: int) -> ProvenToken:
        """What the token proves; Unauthenticated where it proves nothing."""
        try:
            while True:
                generation = self._generation
                found = await self._verified(token.reveal(), now_ms)
                if generation == self._generation:
                    self._remember(digest, found)
                    return found.token
        except Refused as refused:
            self._tell(refused.issuer, refused.reason)
            raise Unauthenticated from None

    def unbound(self, token: ProvenToken) -> None:
        """Tell the log that a good token leads to nobody: whoever reads it can make the binding."""
        self._tell(token.issuer, "its proof leads to nobody in the issuer's account", token.proof)

    def keys_state(self, issuer: TokenIssuer) -> tuple[int | None, str]:
        """See IssuerKeySets.state; of an issuer whose record holds its keys there is nothing to tell."""
        return self._sets.state(issuer.keys_url) if issuer.keys_url else (None, "")

    async def _verified(self, token: bytes, now_ms: int) -> _Remembered:
        header, claimed = unverified(token)
        known = await self._issuer(claimed)
        record = known.record
        key = await self._key(known, header)
        try:
            payload = key.payload(token, header.alg)
        except BadSignature:
            raise Refused("its signature is not that of the key", record.name) from None
        # From here on the claims are the issuer's, who may still have said them of another time or to somebody else.
        claims = decoded(payload, Claims)
        require_time(record.name, claims, now_ms)
        said = decoded(payload, dict[str, Any])
        for name, value in record.required.items():
            if claim_value(said, name) != value:
                raise Refused("a required claim is missing, or has another value", record.name)
        proof = token_proof(record.name, record.claims, said)
        if proof is None:
            raise Refused("a claim of its proof is missing, empty, too long, or no text", record.name)
        proven = ProvenToken(record.name, record.account, proof, int(claims.iat * 1000))
        until_ms = min(int(claims.exp * 1000), now_ms + int(FRESH_SECONDS * 1000))
        return _Remembered(proven, record.keys_url, now_ms - LEEWAY_SECONDS * 1000, until_ms)

    async def _issuer(self, claimed: Claims) -> _Known:
        issuers = self._issuers
        if issuers is None:
            generation = self._generation
            issuers = _by_issuer(await self._storage.proofs.issuers())
            if generation == self._generation:
                self._issuers = issuers
                self._sets.keep({known.record.keys_url for known in issuers.values()})
        audiences = [claimed.aud] if isinstance(claimed.aud, str) else dict.fromkeys(claimed.aud)
        found = [known for one in audiences if (known := issuers.get((claimed.iss, one))) is not None]
        if len(found) > 1:
            raise Refused("it is for the audiences of several issuers at once", found[0].record.name)
        if not found:
            raise Refused("its issuer and audience are those of no token issuer")
        return found[0]

    async def _key(self, known: _Known, header: Header) -> VerificationKey:
        if header.alg not in jwks.ALGORITHMS:
            raise Refused("its algorithm is none that is accepted", known.record.name)
        if known.keys is not None:
            key = known.keys.key(header.kid, header.alg)
        else:
            key = await self._sets.key(known.record.keys_url, header.kid, header.alg)
            self._refresh()  # there may have been a wait: what changed meanwhile counts
        if key is None:
            raise Refused("the issuer has no such key for that algorithm, or its keys cannot be had", known.record.name)
        return key

    def _remember(self, digest: str, found: _Remembered) -> None:
        self._remembered[digest] = found
        self._remembered.move_to_end(digest)
        if len(self._remembered) > self._max_tokens:
            self._remembered.popitem(last=False)

    def _changed(self, names: Sequence[RecordName]) -> None:
        if not names or any(table == "token_issuers" for table, _ in names):
            self._generation += 1
            self._issuers = None
            self._remembered.clear()

    def _keys_changed(self, url: str) -> None:
        self._generation += 1
        for digest in [digest for digest, one in self._remembered.items() if one.url == url]:
            del self._remembered[digest]

    def _tell(self, issuer: str, reason: str, proof: str = "") -> None:
        now = self._clock()
        if now - self._logged.get((issuer, reason), -LOG_SECONDS) >= LOG_SECONDS:
            self._logged[issuer, reason] = now
            log.warning("cannot accept a JWT of %s: %s %s", issuer or "anybody", reason, proof)


def _by_issuer(records: Sequence[TokenIssuer]) -> Mapping[tuple[str, str], _Known]:
    found = {}
    for record in records:
        try:
            keys = None if record.keys_url else jwks.read(record.keys.encode())
        except InvalidRequest:
            keys = KeySet(())  # then no token of this one is good, and all others are
        found[record.issuer, record.audience] = _Known(record, keys)
    return found
