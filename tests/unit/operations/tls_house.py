"""What tests of client certificates share: an authority with its record, and a user bound to what its clients prove."""

from datetime import UTC, datetime
from typing import Any

import pytest

from secretsd.domain.proofs import Binding
from secretsd.operations.authenticator import Caller
from secretsd.operations.request_facts import Way
from secretsd.operations.tls_proofs import ClientCertificate
from secretsd.testing.client_certificates import Issued, Signer

WEB = "tls:ca/dns/web.example"
SPIFFE = "spiffe://example.org/ns/prod/sa/web"
WORKLOAD = f"tls:ca/uri/{SPIFFE}"


class Certified:
    """The authority `ca` of a house: a root, and an intermediate `mid`. `web` is who WEB is bound to."""

    def __init__(self, house: Any) -> None:
        self.house = house
        self.root = Signer("root", now=datetime.fromtimestamp(house.clock.ms // 1000, UTC))
        self.mid = Signer("mid", above=self.root)

    async def settle(self, **given: Any) -> "Certified":
        """Make the authority's record, the user, and his binding."""
        told = {"account": self.house.account, "certificates": self.root.pem, **given}
        await self.house.call("CreateCertificateAuthority", certificate_authority="ca", **told)
        await self.house.call("CreateUser", user="web")
        await self.bind(WEB)
        return self

    async def bind(self, proof: str, user: str = "web", account: str = "", role: str = "") -> None:
        """A binding, whoever may make it."""
        await self.house.add_record(Binding(proof, account or self.house.account, "" if role else user, 1, role=role))

    async def revocation(self, text: str) -> Any:
        """Set the authority's lists."""
        return await self.house.call("UpdateCertificateRevocationList", certificate_authority="ca", crl=text)

    async def identity(self, issued: Issued) -> Any:
        """Who it is that comes with the certificate."""
        return await self.house.call("GetCallerIdentity", caller(issued))

    async def outcome(self, issued: Issued, who: Caller | None = None) -> str:
        """`ok`, or why the certificate proves nobody, as the event says."""
        answer = await self.house.run("GetCallerIdentity", who or caller(issued))
        if answer.error is None:
            return "ok"
        assert answer.error.kind.value == "unauthenticated"
        assert answer.error.message == "cannot tell who is calling: no valid proof of identity"
        [event] = await self.house.events(answer.request_id, account="system")
        return str(event["fields"]["certificate"])


def caller(issued: Issued) -> Caller:
    """Who comes by TLS with that certificate."""
    return Caller("tcp:192.0.2.1:4000", way=Way("192.0.2.1"), certificate=ClientCertificate(issued.chain))


@pytest.fixture
async def ca(house: Any) -> Certified:
    return await Certified(house).settle()
