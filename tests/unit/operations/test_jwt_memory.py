"""What is remembered of JWTs: each is verified once, until anything that made it good has changed."""

import asyncio
from dataclasses import replace

import pytest

from secretsd.adapters.jwks.fetcher import JwksFetcher
from secretsd.domain.proofs import TokenIssuer
from secretsd.operations.issuer_key_sets import FRESH_SECONDS, MAX_AGE_SECONDS, PAUSE_SECONDS, IssuerKeySets
from secretsd.operations.jwks import VerificationKey
from secretsd.ports.issuer_keys import KeysUnavailable
from secretsd.ports.storage import Delete, Replace, UnitOfWork
from secretsd.testing import samples
from secretsd.testing.jwks_server import JwksServer
from secretsd.testing.jwt_issuer import jwks
from secretsd.testing.storage import authenticator
from tests.unit.operations.jwt_house import ANYTHING, ISSUER, KEY, OTHER, PROOF, Cluster

URL = "https://issuer.example/jwks"


@pytest.fixture
async def cluster(house):
    return await Cluster(house).settle()


class Source:
    """A URL whose keys a test sets; None is for one that is away."""

    def __init__(self) -> None:
        self.document: bytes | None = jwks(KEY).encode()
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()

    def refusal(self, url: str) -> str | None:
        return None

    async def fetch(self, url: str) -> bytes:
        self.asked += 1
        self.entered.set()
        await self.gate.wait()
        if self.document is None:
            raise KeysUnavailable("away")
        return self.document


class Remote(Cluster):
    """The same issuer, which publishes its keys at a URL; `later` moves both clocks."""

    async def settle(self, **changed):
        house, proofs = self.house, self.house.parts.jwt_proofs
        self.source, self.seconds = Source(), 0.0
        proofs._sets = IssuerKeySets(self.source, proofs._keys_changed, lambda: self.seconds)
        record = TokenIssuer("cluster", house.account, ISSUER, "secretsd", "", URL, ("sub",))
        await house.add_record(record)
        await house.user("app", ANYTHING)
        await self.bind(PROOF)
        return self

    async def replace(self, record: TokenIssuer, **changed) -> None:
        """Store a changed record as another worker does: this one hears of it when it looks at the feed."""
        after = replace(record, revision=record.revision + 1, **changed)
        change = Replace(record, after, authenticator().mac(after))
        event = samples.event("Changed", accounts=(self.house.account,))
        await self.house.storage.commit(UnitOfWork((change,), event))

    def later(self, seconds: float) -> None:
        self.seconds += seconds
        self.house.clock.ms += int(seconds * 1000)

    async def renewed(self, url: str = URL) -> None:
        """Until no fetch is under way."""
        if (fetching := self.house.parts.jwt_proofs._sets._published[url].fetching) is not None:
            await fetching


@pytest.fixture
async def remote(house):
    return await Remote(house).settle()


async def test_keys_at_a_url_are_as_good_and_change_there(remote):
    old = remote.token()
    assert await remote.outcome(old) == "ok"
    remote.source.document = jwks(KEY, OTHER).encode()
    remote.later(PAUSE_SECONDS)
    assert await remote.outcome(remote.token(OTHER)) == "ok", "an unknown kid renews the keys"
    assert await remote.outcome(old) == "ok"
    assert remote.source.asked == 2


async def test_a_key_that_the_issuer_takes_back_ends_its_tokens(remote):
    token = remote.token(exp=remote.now + 7200)
    assert await remote.outcome(token) == "ok"
    remote.source.document = jwks(OTHER).encode()
    remote.later(FRESH_SECONDS - 1)
    assert await remote.outcome(token) == "ok", "so long may it be good still"
    remote.later(1)
    await remote.outcome(token)
    await remote.renewed()
    assert await remote.outcome(token) == "unauthenticated"


async def test_what_can_be_no_token_of_theirs_has_no_keys_fetched(remote):
    for header in ({"alg": "none"}, {"alg": "HS256"}, {"crit": ["x"]}):
        assert await remote.outcome(remote.token(header=header)) == "unauthenticated"
    for changed in ({"aud": "other"}, {"iss": "https://other.example"}):
        assert await remote.outcome(remote.token(**changed)) == "unauthenticated"
    assert remote.source.asked == 0


async def test_an_issuer_that_is_reached_over_the_network_renews_its_keys_and_goes_away(remote):
    """With a server and the daemon's own fetcher: two keys side by side for a while, then the new one alone."""
    proofs = remote.house.parts.jwt_proofs
    with JwksServer([KEY]).running() as server:
        (record,) = await remote.house.storage.proofs.issuers()
        proofs._sets = IssuerKeySets(JwksFetcher(plain_loopback=True), proofs._keys_changed, lambda: remote.seconds)
        await remote.replace(record, keys_url=server.url)
        long = remote.token(exp=remote.now + 86_400)
        assert await remote.outcome(long) == "ok"
        server.keys.append(OTHER)
        remote.later(PAUSE_SECONDS)
        assert await remote.outcome(remote.token(OTHER)) == "ok"
        del server.keys[0]
        remote.later(FRESH_SECONDS)
        await remote.outcome(remote.token(OTHER))
        await remote.renewed(server.url)
        assert await remote.outcome(long) == "unauthenticated"
        assert await remote.outcome(remote.token(OTHER)) == "ok"
        assert server.asked == 3
    remote.later(FRESH_SECONDS)
    assert await remote.outcome(remote.token(OTHER)) == "ok", "the other side is away"
    remote.later(MAX_AGE_SECONDS)
    assert await remote.outcome(remote.token(OTHER)) == "unauthenticated"


async def test_another_issuers_trouble_is_its_own(remote, house):
    other = {"account": house.account, "issuer": "https://other.example", "audience": "secretsd", "keys": jwks(OTHER)}
    await house.call("CreateTokenIssuer", token_issuer="other", **other)
    await remote.bind("jwt:other/sub=system:serviceaccount:prod:app")
    remote.source.document = None
    assert await remote.outcome(remote.token()) == "unauthenticated"
    assert await remote.outcome(remote.token(OTHER, iss="https://other.example")) == "ok"
    described = await house.call("DescribeTokenIssuer", token_issuer="cluster")
    assert (described.keys_fetched_seconds, described.keys_problem) == (None, "away")


async def test_an_issuer_that_changes_while_its_keys_are_fetched_is_asked_anew(remote, house):
    remote.source.gate.clear()
    waiting = asyncio.create_task(remote.outcome(remote.token()))
    await remote.source.entered.wait()
    await house.call("UpdateTokenIssuer", token_issuer="cluster", required={"sub": "ann"})
    remote.source.gate.set()
    assert await waiting == "unauthenticated"


async def test_what_another_worker_changes_while_keys_are_fetched_counts_as_well(remote, house):
    remote.source.gate.clear()
    waiting = asyncio.create_task(remote.outcome(remote.token()))
    await remote.source.entered.wait()
    (record,) = await house.storage.proofs.issuers()
    await remote.replace(record, required={"sub": "ann"})
    remote.source.gate.set()
    assert await waiting == "unauthenticated"


async def test_a_record_whose_keys_are_no_use_denies_its_own_tokens_only(cluster, house):
    await house.add_record(TokenIssuer("bad", house.account, "https://bad.example", "secretsd", "{", "", ("sub",)))
    assert await cluster.outcome(cluster.token()) == "ok"
    assert await cluster.outcome(cluster.token(iss="https://bad.example")) == "unauthenticated"


async def test_a_change_of_the_issuer_holds_at_once_for_remembered_tokens(cluster, house):
    token = cluster.token()
    assert await cluster.outcome(token) == "ok"
    await house.call("UpdateTokenIssuer", token_issuer="cluster", keys=jwks(OTHER))
    assert await cluster.outcome(token) == "unauthenticated"
    assert await cluster.outcome(cluster.token(OTHER)) == "ok"
    await house.call("UpdateTokenIssuer", token_issuer="cluster", required={"sub": "ann"})
    assert await cluster.outcome(cluster.token(OTHER)) == "unauthenticated"


async def test_a_binding_that_goes_ends_it_at_once(cluster, house):
    token = cluster.token()
    assert await cluster.outcome(token) == "ok"
    binding = await house.storage.proofs.binding(PROOF)
    await house.storage.commit(UnitOfWork((Delete(binding),), samples.event("Deleted", accounts=(house.account,))))
    assert await cluster.outcome(token) == "unauthenticated"


async def test_signatures_are_verified_once_and_what_is_remembered_is_bounded(cluster, house, monkeypatch):
    verified = []
    payload = VerificationKey.payload

    def counted(key: VerificationKey, token: bytes, algorithm: str) -> bytes:
        verified.append(token)
        return payload(key, token, algorithm)

    monkeypatch.setattr(VerificationKey, "payload", counted)
    proofs = house.parts.jwt_proofs
    monkeypatch.setattr(proofs, "_max_tokens", 2)
    tokens = [cluster.token(jti=str(number)) for number in range(3)]
    for token in (tokens[0], tokens[0], tokens[1], tokens[0], tokens[2], tokens[0]):
        assert await cluster.outcome(token) == "ok"
    assert len(verified) == 3
    assert await cluster.outcome(tokens[1]) == "ok"
    assert (len(verified), len(proofs._remembered)) == (4, 2), "the one that was used longest ago had to go"


async def test_the_log_says_why_once_a_minute_and_never_the_token(cluster, house, caplog):
    token = cluster.token(exp=1_700_000_000, iat=1_699_999_000, sub="Zq7XeCanary")
    for _ in range(5):
        assert await cluster.outcome(token) == "unauthenticated"
    unbound = cluster.token(sub="nobody's")
    for _ in range(5):
        assert await cluster.outcome(unbound) == "unauthenticated"
    assert [line for line in caplog.messages if "JWT" in line] == [
        "cannot accept a JWT of cluster: it has expired ",
        "cannot accept a JWT of cluster: its proof leads to nobody in the issuer's account jwt:cluster/sub=nobody%27s",
    ]
    assert "Zq7XeCanary" not in caplog.text
