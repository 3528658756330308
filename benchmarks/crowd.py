"""The records of many principals: users in groups, roles, policies, tokens, and five proofs that lead to each."""

from collections.abc import Iterator
from dataclasses import dataclass

from secretsd.domain.credentials import Token
from secretsd.domain.policy import Effect, Policy, Statement
from secretsd.domain.principals import Group, Principal, Role, User
from secretsd.domain.proofs import Binding, CertificateAuthority, TokenIssuer
from secretsd.domain.records import Record
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.authenticator import TOKEN_PREFIX, token_digest
from secretsd.operations.ids import new_id
from secretsd.testing.client_certificates import Issued, Signer
from secretsd.testing.jwt_issuer import SigningKey, jwks

NAME = "crowd"
"""Of the token issuer and of the certificate authority."""
ISSUER, AUDIENCE = "https://crowd.example", "secretsd"
PREFIX = "bench/"
BINDINGS_EACH = 5
POLICIES_EACH, STATEMENTS = 4, 50
"""200 statements speak about each principal."""
FIRST_UID = 100_000


@dataclass(frozen=True, slots=True)
class Signers:
    """Who signs the crowd's JWTs and client certificates: their own keys, and what an account keeps of them."""

    tokens: SigningKey
    certificates: Signer

    @classmethod
    def make(cls) -> "Signers":
        """New ones."""
        return cls(SigningKey.make("k1", "ES256"), Signer(NAME))

    def public(self) -> tuple[str, str]:
        """The JWKS as JSON, and the authority's certificate in PEM."""
        return jwks(self.tokens), self.certificates.pem

    def jwt(self, number: int, now_ms: int) -> str:
        """A token of that principal, good for an hour."""
        now = now_ms // 1000
        said = {"iss": ISSUER, "aud": AUDIENCE, "sub": _subject(number), "iat": now - 60, "exp": now + 3600}
        return self.tokens.token(said)

    def certificate(self, number: int) -> Issued:
        """A client certificate of that principal, under a key that all of them share: making one takes longest."""
        return self.certificates.issue(_dns(number), _uri(number), key=self.certificates.key)


@dataclass(frozen=True, slots=True)
class Crowd:
    """So many principals of an account, numbered from 0; every fifth is a role, the others are users with a token."""

    account: str
    size: int

    def path(self, number: int) -> str:
        """How policies name him."""
        return f"role/{_name(number)}" if _is_role(number) else f"user/{_name(number)}"

    def principal(self, number: int) -> Principal:
        """He as his token or uid proves him."""
        return Principal(self.account, self.path(number), f"unix:uid/{FIRST_UID + number}")

    def records(self, keys: str, certificates: str, now_ms: int) -> Iterator[Record]:
        """All of it, in an order in which nothing names what is not there yet.

        `keys` and `certificates` are what Signers.public gives.
        """
        yield TokenIssuer(NAME, self.account, ISSUER, AUDIENCE, keys, "", ("sub",), created_ms=now_ms)
        yield CertificateAuthority(NAME, self.account, certificates, "", now_ms)
        for number in range(self._policies):
            yield Policy(self.account, f"team-{number:04d}", _of_team(number), "", now_ms)
            yield Policy(self.account, f"reading-{number:04d}", _reading(number), "", now_ms)
        for number in range(self._groups):
            yield Group(self.account, _group(number), now_ms, policies=(f"reading-{number % self._policies:04d}",))
        for number in range(self.size):
            yield self._role(number, now_ms) if _is_role(number) else self._user(number, now_ms)
            if not _is_role(number):
                yield Token(token_digest(token_of(number)), new_id(), self.account, _name(number), now_ms, None)
        for number in range(self.size):
            for proof in proofs_of(number):
                yield self._binding(number, proof, now_ms)

    @property
    def _policies(self) -> int:
        return max(8, self.size // 100)

    @property
    def _groups(self) -> int:
        return max(8, self.size // 20)

    def _user(self, number: int, now_ms: int) -> User:
        teams = (f"team-{number % self._policies:04d}", f"team-{(number + 1) % self._policies:04d}")
        groups = (_group(number % self._groups), _group((number + 1) % self._groups))
        return User(self.account, _name(number), now_ms, teams, {"team": teams[0]}, groups=groups)

    def _role(self, number: int, now_ms: int) -> Role:
        at, following = number % self._policies, (number + 1) % self._policies
        policies = (f"team-{at:04d}", f"team-{following:04d}", f"reading-{at:04d}", f"reading-{following:04d}")
        trusted = f"secretsd:{self.account}:user/{_name(number - 1)}"
        trust = (Statement(Effect.ALLOW, ("AssumeRole",), (), principals=(trusted,)),)
        return Role(self.account, _name(number), new_id(), now_ms, trust, policies=policies)

    def _binding(self, number: int, proof: str, now_ms: int) -> Binding:
        if _is_role(number):
            return Binding(proof, self.account, "", now_ms, role=_name(number))
        return Binding(proof, self.account, _name(number), now_ms)


def users_of(size: int) -> list[int]:
    """The numbers of those among so many who are users."""
    return [number for number in range(size) if not _is_role(number)]


def token_of(number: int) -> Plaintext:
    """The token of that user."""
    return Plaintext.from_text(f"{TOKEN_PREFIX}{number:043d}")


def proofs_of(number: int) -> tuple[str, ...]:
    """The proofs that lead to that principal: a uid, a unit, a JWT's subject, two names of a certificate."""
    return (
        f"unix:uid/{FIRST_UID + number}",
        f"systemd:unit/crowd-{number:06d}.service",
        f"jwt:{NAME}/sub={_subject(number)}",
        f"tls:{NAME}/dns/{_dns(number)}",
        f"tls:{NAME}/uri/{_uri(number)}",
    )


def _of_team(number: int) -> tuple[Statement, ...]:
    """Statements that all speak of the operation and of no secret that is asked for: prefixes, other globs in turns.

    Every fifth begins as all secrets do, so that nothing but looking tells that it speaks of others.
    """
    teams = [f"{'*/' if n % 5 == 4 else ''}team-{number}-{n}" for n in range(STATEMENTS)]
    patterns = [f"secret/{team}/*" if n % 2 else f"secret/{team}/?-*/password" for n, team in enumerate(teams)]
    return tuple(Statement(Effect.ALLOW, ("Get*",), (one,)) for one in patterns)


def _reading(number: int) -> tuple[Statement, ...]:
    """The same, and what allows to read at the end."""
    return (*_of_team(number)[:-1], Statement(Effect.ALLOW, ("GetSecretValue",), (f"secret/{PREFIX}*",)))


def _is_role(number: int) -> bool:
    return number % 5 == 4


def _name(number: int) -> str:
    return f"{'task' if _is_role(number) else 'person'}-{number:06d}"


def _group(number: int) -> str:
    return f"group-{number:04d}"


def _subject(number: int) -> str:
    return f"crowd-{number:06d}"


def _dns(number: int) -> str:
    return f"host-{number:06d}.crowd.example"


def _uri(number: int) -> str:
    return f"spiffe://crowd.example/principal/{number:06d}"
