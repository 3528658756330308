"""Proof of identity: from what a transport knows of a caller to the principal behind it."""

import hashlib
from collections.abc import Iterator

from secretsd.domain.credentials import KeyPair, Token
from secretsd.domain.errors import NotFound, Unauthenticated
from secretsd.domain.networks import is_within
from secretsd.domain.principals import Principal
from secretsd.domain.proofs import Binding
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.access_key_proofs import KIND, AccessKeyProofs
from secretsd.operations.jwt_proofs import JwtProofs, is_jwt
from secretsd.operations.limits import CallerLimits
from secretsd.operations.request_facts import Way
from secretsd.operations.rows import Rows
from secretsd.operations.tls_proofs import CertificateRefused, ClientCertificate, TlsProofs

TOKEN_PREFIX = "secretsd_"
SESSION_PREFIX = "secretsd-session_"
ENROLMENT = "enrolment/"
"""How the proofs of enrolment tokens begin, which are good for ENROLS alone."""
ENROLS = "EnrolHost"
_RANDOM_LENGTH = 43
_LENGTHS = {len(prefix) + _RANDOM_LENGTH for prefix in (TOKEN_PREFIX, SESSION_PREFIX)}


def token_digest(token: Plaintext) -> str:
    """What is stored of a bearer token: SHA-256 in hex. The token has 256 random bits, so its digest tells nothing."""
    return hashlib.sha256(token.reveal()).hexdigest()


class Caller:
    """What a transport knows: where from and how a request came, what proves the peer, what the request itself shows.

    That is a bearer token, or an access key with its secret, or nothing; `shown` is whichever came.

    `proofs` are those of the connection, the more telling ones first: `systemd:unit/…`, `unix:uid/…`; `certificate` is
    what its TLS peer sent. A connection keeps its caller from request to request, so that a token is digested once;
    never changed.
    """

    __slots__ = ("certificate", "digest", "is_jwt", "pair", "proofs", "source", "token", "way")

    def __init__(
        self,
        source: str,
        uid: int | None = None,
        token: Plaintext | None = None,
        way: Way | None = None,
        proofs: tuple[str, ...] = (),
        pair: KeyPair | None = None,
        certificate: ClientCertificate | None = None,
    ) -> None:
        self.source = source
        self.way = way or Way(uid=uid)
        self.proofs = proofs if uid is None else (*proofs, f"unix:uid/{uid}")
        self.token = token
        self.pair = pair
        self.certificate = certificate
        self.is_jwt = token is not None and is_jwt(token)
        known = self.is_jwt or (token is not None and len(token) in _LENGTHS)
        self.digest = token_digest(token) if token is not None and known else None

    @property
    def shown(self) -> Plaintext | KeyPair | None:
        """What the request shows to prove its caller, whatever the connection proves."""
        return self.token if self.pair is None else self.pair

    def showing(self, shown: Plaintext | KeyPair) -> "Caller":
        """A caller from there who shows that."""
        if isinstance(shown, KeyPair):
            return Caller(self.source, None, None, self.way, self.proofs, shown, self.certificate)
        return Caller(self.source, None, shown, self.way, self.proofs, None, self.certificate)

    def proved(self) -> Iterator[str]:
        """What the connection proves, the more telling first; a peer's unit is looked for when somebody needs it."""
        if unit := self.way.unit:
            yield f"systemd:unit/{unit}"
        yield from self.proofs

    @property
    def is_root(self) -> bool:
        """Whether this is root of the daemon's own host, as its kernel says, and does not claim to be somebody else.

        Root of a container that was given the socket is not.
        """
        return self.shown is None and self.way.is_root_of_host


class Authenticator:
    """What the request shows wins over what the connection proves; if it proves nothing that is an error, no fall-back.

    Where too many of them failed, who fails again from there is told to wait. Nobody else is: tokens and access keys
    are looked up all the same, for nobody guesses those, and of what costs signatures to verify so many a second are.
    """

    def __init__(
        self,
        rows: Rows,
        jwt_proofs: JwtProofs,
        access_key_proofs: AccessKeyProofs,
        tls_proofs: TlsProofs,
        limits: CallerLimits | None = None,
    ) -> None:
        self._rows = rows
        self._jwt_proofs = jwt_proofs
        self._access_key_proofs = access_key_proofs
        self._tls_proofs = tls_proofs
        self._limits = limits or CallerLimits()

    async def principal(self, caller: Caller, now_ms: int) -> Principal:
        """Who is calling; Unauthenticated when nothing proves it, Throttled where too much that was tried did not."""
        try:
            if caller.pair is not None:
                return await self._access_key_proofs.principal(caller.pair)
            if caller.token is not None:
                return await self._by_token(caller, now_ms)
            for proof in caller.proved():
                if (binding := await self._bound(proof)) is not None:
                    return _bound_to(binding)
            if caller.certificate is not None:
                if not self._tls_proofs.remembers(caller.certificate, now_ms):
                    self._limits.look(caller.way)
                return _bound_to(await self._tls_proofs.binding(caller.certificate, now_ms))
        except CertificateRefused:
            self._limits.failed(caller.way)
            raise
        except (NotFound, Unauthenticated):
            pass
        if caller.shown is not None:
            await self._even_out(caller)
            self._limits.failed(caller.way)
        raise Unauthenticated

    async def _even_out(self, caller: Caller) -> None:
        """Do the same work whatever was wrong, so that nobody learns what there once was."""
        if caller.pair is not None:
            await self._access_key_proofs.miss(caller.pair)
        elif caller.digest is not None and not caller.is_jwt and self._rows.is_kept(caller.digest):
            await self._rows.miss(caller.digest)

    def require_its_operation(self, principal: Principal, operation: str) -> None:
        """Raise Unauthenticated where what proves the principal is good for another operation alone."""
        if operation != ENROLS and principal.proof.startswith(ENROLMENT):
            raise Unauthenticated

    async def _bound(self, proof: str) -> Binding | None:
        return await self._rows.binding_if_any(proof)

    async def _by_token(self, caller: Caller, now_ms: int) -> Principal:
        if caller.digest is None or caller.token is None:
            raise Unauthenticated
        if caller.is_jwt:
            return await self._by_jwt(caller, caller.token, caller.digest, now_ms)
        if caller.token.reveal().startswith(SESSION_PREFIX.encode()):
            return await self._by_session(caller, caller.digest, now_ms)
        found = await self._rows.token(caller.digest)
        if found.expires_ms is not None and found.expires_ms <= now_ms:
            raise Unauthenticated
        _require_from(found.network, caller.way)
        return await self._user_of(found)

    async def _user_of(self, token: Token) -> Principal:
        """A user who was made after the token is another one of that name; an access key takes its tokens along."""
        proof = f"{ENROLMENT if token.enrols_seconds else 'token/'}{token.id}"
        if token.access_key:
            await self._access_key_proofs.require_active(await self._rows.access_key(token.access_key))
            proof = f"{KIND}{token.access_key}/{proof}"
        elif (await self._rows.user(token.account, token.user)).created_ms > token.created_ms:
            raise Unauthenticated
        path = f"user/{token.user}"
        return Principal(token.account, path, proof, issued_ms=token.created_ms, network=token.network)

    async def _by_jwt(self, caller: Caller, token: Plaintext, digest: str, now_ms: int) -> Principal:
        """Good where its proof is bound in the account of its issuer; another account's binding of it leads nowhere."""
        found = self._jwt_proofs.hit(digest, now_ms)
        if found is None:
            self._limits.look(caller.way)
            found = await self._jwt_proofs.proven(token, digest, now_ms)
        binding = await self._bound(found.proof)
        if binding is None or binding.account != found.account:
            self._jwt_proofs.unbound(found)
            raise Unauthenticated
        return _bound_to(binding, found.issued_ms)

    async def _by_session(self, caller: Caller, digest: str, now_ms: int) -> Principal:
        """Good while its time is not over and its role is there and has not been revoked since, and from its network.

        The proof names the session and who opened it: that is what an auditor wants to know.
        """
        found = await self._rows.session(digest)
        role = await self._rows.role(found.account, found.role)
        if found.expires_ms <= now_ms or role.id != found.role_id or found.created_ms <= role.revoked_ms:
            raise Unauthenticated
        _require_from(found.network, caller.way)
        proof = f"session/{found.access_key}/{found.name}/{found.by}"
        return Principal(
            found.account, f"role/{found.role}", proof, digest, found.name, found.created_ms, found.network
        )


def _require_from(network: str, way: Way) -> None:
    """Raise Unauthenticated where what is good from a network alone comes from elsewhere, or by a Unix socket."""
    if network and not is_within(way.address, network):
        raise Unauthenticated


def _bound_to(binding: Binding, issued_ms: int | None = None) -> Principal:
    path = f"role/{binding.role}" if binding.role else f"user/{binding.user}"
    return Principal(binding.account, path, binding.proof, issued_ms=issued_ms)
