"""Proof of identity: from what a transport knows of a caller to the principal behind it."""

import hashlib
import hmac

from secretsd.domain.credentials import ACCESS_KEY_ID_LENGTH, ACCESS_KEY_PREFIX, ACCESS_KEY_SECRET_LENGTH
from secretsd.domain.errors import NotFound, Unauthenticated
from secretsd.domain.principals import Principal
from secretsd.domain.proofs import Binding
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.credential_secrets import CredentialSecrets
from secretsd.operations.jwt_proofs import JwtProofs, is_jwt
from secretsd.operations.request_facts import Way
from secretsd.operations.rows import Rows

TOKEN_PREFIX = "secretsd_"
SESSION_PREFIX = "secretsd-session_"
CLIENT_PROOF = "client-credentials"
"""The kind of proof by the id and the secret of an access key; it is good for nothing but to get a token by."""
_RANDOM_LENGTH = 43
_CLIENT_LENGTH = ACCESS_KEY_ID_LENGTH + 1 + ACCESS_KEY_SECRET_LENGTH
_LENGTHS = {len(prefix) + _RANDOM_LENGTH for prefix in (TOKEN_PREFIX, SESSION_PREFIX)}


def token_digest(token: Plaintext) -> str:
    """What is stored of a bearer token: SHA-256 in hex. The token has 256 random bits, so its digest tells nothing."""
    return hashlib.sha256(token.reveal()).hexdigest()


class Caller:
    """What a transport knows: where from and how a request came, what proves the peer, the bearer token if one came.

    In place of a token there may be the id and the secret of an access key, with a colon in between (RFC 7617).
    `proofs` are those of the connection, the more telling ones first: `systemd:unit/…`, `unix:uid/…`, names of a TLS
    certificate. A connection keeps its caller from request to request, so that a token is digested once; never changed.
    """

    __slots__ = ("digest", "is_jwt", "proofs", "source", "token", "way")

    def __init__(
        self,
        source: str,
        uid: int | None = None,
        token: Plaintext | None = None,
        way: Way | None = None,
        proofs: tuple[str, ...] = (),
    ) -> None:
        self.source = source
        self.way = way or Way(uid=uid)
        self.proofs = proofs if uid is None else (*proofs, f"unix:uid/{uid}")
        self.token = token
        self.is_jwt = token is not None and is_jwt(token)
        known = self.is_jwt or (token is not None and len(token) in _LENGTHS)
        self.digest = token_digest(token) if token is not None and known else None


class Authenticator:
    """A token wins over what the connection proves; one that proves nothing is an error, not a fall-back."""

    def __init__(self, rows: Rows, secrets: CredentialSecrets, jwt_proofs: JwtProofs) -> None:
        self._rows = rows
        self._secrets = secrets
        self._jwt_proofs = jwt_proofs

    async def principal(self, caller: Caller, now_ms: int) -> Principal:
        """Who is calling; Unauthenticated when nothing proves it."""
        try:
            if caller.token is not None:
                return await self._by_token(caller, now_ms)
            for proof in caller.proofs:
                if (binding := await self._bound(proof)) is not None:
                    return _bound_to(binding)
        except NotFound:
            pass
        raise Unauthenticated

    async def _bound(self, proof: str) -> Binding | None:
        try:
            return await self._rows.binding(proof)
        except NotFound:
            return None

    async def _by_token(self, caller: Caller, now_ms: int) -> Principal:
        if caller.token is None:
            raise Unauthenticated
        if caller.digest is None:
            return await self._by_access_key(caller.token.reveal())
        if caller.is_jwt:
            return await self._by_jwt(caller.token, caller.digest, now_ms)
        if caller.token.reveal().startswith(SESSION_PREFIX.encode()):
            return await self._by_session(caller.digest, now_ms)
        found = await self._rows.token(caller.digest)
        if found.expires_ms is not None and found.expires_ms <= now_ms:
            raise Unauthenticated
        if found.access_key and not (await self._rows.access_key(found.access_key)).active:
            raise Unauthenticated
        await self._require_older(found.account, found.user, found.created_ms)
        return Principal(found.account, f"user/{found.user}", f"token/{found.id}", issued_ms=found.created_ms)

    async def _by_jwt(self, token: Plaintext, digest: str, now_ms: int) -> Principal:
        """Good where its proof is bound in the account of its issuer; another account's binding of it leads nowhere."""
        found = self._jwt_proofs.hit(digest, now_ms) or await self._jwt_proofs.proven(token, digest, now_ms)
        binding = await self._bound(found.proof)
        if binding is None or binding.account != found.account:
            self._jwt_proofs.unbound(found)
            raise Unauthenticated
        return _bound_to(binding, found.issued_ms)

    async def _by_access_key(self, given: bytes) -> Principal:
        """The user of an access key, while that is active; what is given is compared in constant time."""
        identifier = given[:ACCESS_KEY_ID_LENGTH]
        if len(given) != _CLIENT_LENGTH or not identifier.startswith(ACCESS_KEY_PREFIX.encode()):
            raise Unauthenticated
        found = await self._rows.access_key(identifier.decode("ascii", "replace"))
        secret = await self._secrets.of_access_key(found)
        if not hmac.compare_digest(given[ACCESS_KEY_ID_LENGTH:], b":" + secret.reveal()) or not found.active:
            raise Unauthenticated
        await self._require_older(found.account, found.user, found.created_ms)
        return Principal(found.account, f"user/{found.user}", f"{CLIENT_PROOF}/{found.id}", issued_ms=found.created_ms)

    async def _require_older(self, account: str, user: str, created_ms: int) -> None:
        """Raise Unauthenticated, or NotFound, unless the user is there and was before what proves him was made.

        It may have been made while a user of that name was taken away, and is not the next one's.
        """
        if (await self._rows.user(account, user)).created_ms > created_ms:
            raise Unauthenticated

    async def _by_session(self, digest: str, now_ms: int) -> Principal:
        """Good while its time is not over and its role is there and has not been revoked since."""
        found = await self._rows.session(digest)
        role = await self._rows.role(found.account, found.role)
        if found.expires_ms <= now_ms or role.id != found.role_id or found.created_ms <= role.revoked_ms:
            raise Unauthenticated
        proof = f"session/{found.access_key}"
        return Principal(found.account, f"role/{found.role}", proof, digest, found.name, found.created_ms)


def _bound_to(binding: Binding, issued_ms: int | None = None) -> Principal:
    path = f"role/{binding.role}" if binding.role else f"user/{binding.user}"
    return Principal(binding.account, path, binding.proof, issued_ms=issued_ms)
