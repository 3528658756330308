"""Certificates that no honest authority makes: each is refused with its reason, soon, and leaves its event."""

import math
import ssl
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from secretsd.domain.errors import InvalidRequest
from secretsd.operations.limits import CallerLimits
from secretsd.operations.pipeline import Pipeline
from secretsd.testing.client_certificates import CLIENT, DAY, Issued, Signer
from tests.unit.operations.tls_house import Certified, ca, caller

__all__ = ["ca"]


def with_junk(root: Signer) -> Issued:
    """A client whose certificate policies are no such thing; the library verifies it all the same."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(root.name).public_key(key.public_key())
    made = made.serial_number(77).not_valid_before(root.now - DAY).not_valid_after(root.now + DAY)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(root.key.public_key())
    for extension, critical in (
        (x509.ExtendedKeyUsage([CLIENT]), False),
        (issuer, False),
        (x509.SubjectAlternativeName([x509.DNSName("web.example")]), True),
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.32"), b"\x30\x03\x02\x01"), False),
    ):
        made = made.add_extension(extension, critical)
    return Issued(made.sign(root.key, SHA256()), key)


def slow_key() -> Any:
    """An RSA key with a public exponent as long as its modulus: each signature by it takes milliseconds to verify."""
    private = rsa.generate_private_key(65537, 3072).private_numbers()
    p, q = private.p, private.q
    order, d = math.lcm(p - 1, q - 1), 65537
    while math.gcd(d, order) != 1:
        d += 2
    public = rsa.RSAPublicNumbers(pow(d, -1, order), p * q)
    return rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public).private_key()


async def test_an_extension_that_cannot_be_read(ca: Certified, house: Any) -> None:
    assert await ca.outcome(with_junk(ca.root)) == "ca: it has extensions that cannot be read"


async def test_a_request_that_is_refused_has_its_event_whatever_the_certificate(
    ca: Certified, house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = await house.pipeline.refuse(caller(with_junk(ca.root)), InvalidRequest("cannot read the request"), {})
    assert answer.error.kind.value == "invalid-request"
    assert len(await house.events(answer.request_id, account="system")) == 1

    async def fails(*_: object) -> None:
        raise ValueError("of a library")

    monkeypatch.setattr(house.pipeline._authenticator, "principal", fails)
    answer = await house.pipeline.refuse(caller(with_junk(ca.root)), InvalidRequest("cannot read the request"), {})
    assert len(await house.events(answer.request_id, account="system")) == 1


async def test_a_key_that_is_slow_to_verify_by_is_refused_before_it_is(ca: Certified, house: Any) -> None:
    client = Signer("between", above=ca.mid, key=slow_key()).issue("web.example")
    assert await ca.outcome(client) == "a key above its own is too short, too long, or of a kind that is not accepted"


async def test_certificates_of_one_name_and_key_are_no_maze(ca: Certified, house: Any) -> None:
    """Each order of them would be a path to try."""
    key = ec.generate_private_key(ec.SECP256R1())
    first = Signer("between", above=ca.mid, key=key)
    made = first.issue("web.example")
    more = tuple(Signer("between", above=ca.mid, key=key).certificate for _ in range(3))
    client = Issued(made.certificate, made.key, (*made.between, *more))
    assert await ca.outcome(client) == "two of those that it came with are of one name and key"
    assert await ca.outcome(made) == "ok"


async def test_an_intermediate_of_the_authoritys_own_ends_with_its_list(house: Any) -> None:
    """It has to stand among the authority's certificates for its own list, and is trusted there as it is."""
    ca = Certified(house)
    await ca.settle(certificates=ca.root.pem + ca.mid.pem)
    client = ca.mid.issue("web.example")
    await ca.revocation(ca.root.revoke() + ca.mid.revoke())
    assert await ca.outcome(client) == "ok"
    await ca.revocation(ca.root.revoke(ca.mid.certificate) + ca.mid.revoke())
    assert await ca.outcome(client) == "ca: it, or one above it, is revoked"


@pytest.mark.parametrize("name", [b"\x0c\x04j\xff\xffk", b"\x14\x04j\xff\xffk"], ids=["UTF8String", "T61String"])
async def test_an_authority_whose_name_cannot_be_read(house: Any, tools: Any, name: bytes) -> None:
    der = Signer("junk", now=datetime.fromtimestamp(house.clock.ms // 1000, UTC)).certificate.public_bytes(Encoding.DER)
    pem = ssl.DER_cert_to_PEM_cert(der.replace(b"\x0c\x04junk", name))
    asked = {"certificate_authority": "junk", "account": house.account, "certificates": pem}
    with pytest.raises(tools.Failed, match="invalid-request") as failed:
        await house.call("CreateCertificateAuthority", **asked)
    assert "has a name that cannot be read" in failed.value.error.message


async def test_bad_certificates_are_held_up_and_good_ones_are_not(ca: Certified, house: Any) -> None:
    good, fresh, bad = ca.root.issue("web.example"), ca.root.issue("web.example"), Signer("nobody", now=ca.root.now)
    house.pipeline = Pipeline(house.parts, limits=CallerLimits(free_failed_proofs=2, now=lambda: 1000.0))
    assert await ca.outcome(good) == "ok"
    for _ in range(2):
        assert "no authority" in await ca.outcome(bad.issue("web.example"))

    async def held() -> str:
        answer = await house.run("GetCallerIdentity", caller(bad.issue("web.example")))
        return "ok" if answer.error is None else answer.error.kind.value

    assert await held() == "throttled"
    assert [await ca.outcome(one) for one in (good, fresh)] == ["ok", "ok"]
    # Past so many a second no further signatures are verified; what is known needs none.
    assert {await held() for _ in range(20)} == {"throttled"}
    answer = await house.run("GetCallerIdentity", caller(ca.root.issue("web.example")))
    assert answer.error.kind.value == "throttled"
    assert [await ca.outcome(one) for one in (good, fresh)] == ["ok", "ok"]
