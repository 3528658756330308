"""What tests of JWTs share: an issuer with its record, and a user who is bound to what its tokens prove."""

from collections.abc import Mapping
from typing import Any

from secretsd.domain.proofs import Binding
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.authenticator import Caller
from secretsd.testing.jwt_issuer import SigningKey, jwks
from secretsd.testing.jwt_samples import kubernetes

ISSUER = "https://kubernetes.default.svc.cluster.local"
PROOF = "jwt:cluster/sub=system:serviceaccount:prod:app"
ANYTHING = {"effect": "Allow", "action": ["*"], "resource": ["*"]}
KEY, OTHER = SigningKey.make("k1"), SigningKey.make("k2")


class Cluster:
    """The issuer `cluster` of a house, and its tokens. `app` is who its service account prod/app is bound to."""

    def __init__(self, house: Any) -> None:
        self.house = house

    async def settle(self, **changed: Any) -> "Cluster":
        given = {"keys": jwks(KEY)} if "keys_url" not in changed else {}
        told = {"account": self.house.account, "issuer": ISSUER, "audience": "secretsd", **given, **changed}
        await self.house.call("CreateTokenIssuer", token_issuer="cluster", **told)
        await self.house.user("app", ANYTHING)
        await self.bind(PROOF)
        return self

    async def bind(self, proof: str, user: str = "app", account: str = "", role: str = "") -> None:
        binding = Binding(proof, account or self.house.account, "" if role else user, 1, role=role)
        await self.house.add_record(binding)

    @property
    def now(self) -> int:
        """Seconds, by the house's clock, which moves by a millisecond with each look."""
        return int(self.house.clock.ms // 1000)

    def token(
        self,
        key: SigningKey = KEY,
        header: Mapping[str, Any] | None = None,
        algorithm: str | None = None,
        **changed: Any,
    ) -> str:
        claims = {name: value for name, value in kubernetes(self.now, **changed).items() if value is not ...}
        return key.token(claims, header, algorithm)

    async def identity(self, token: str) -> Any:
        return await self.house.call("GetCallerIdentity", bearer(token))

    async def outcome(self, token: str, operation: str = "GetCallerIdentity") -> str:
        """`ok`, or the kind of the error; the operation is open to all who are proved."""
        answer = await self.house.run(operation, bearer(token))
        return "ok" if answer.error is None else str(answer.error.kind.value)


def bearer(token: str) -> Caller:
    """Who comes with that token, by a connection that proves nothing else."""
    return Caller("tcp", token=Plaintext(token.encode()))
