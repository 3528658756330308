"""Sample records of who may do what, complete in every field: groups, roles, credentials, proofs, policies, grants."""

from secretsd.domain.conditions import Condition
from secretsd.domain.credentials import AccessKey, Session
from secretsd.domain.grants import Grant
from secretsd.domain.policy import Effect, InlinePolicy, ResourcePolicy, Statement
from secretsd.domain.principals import Group, Role
from secretsd.domain.proofs import CertificateAuthority, ProofSpace, TokenIssuer
from secretsd.domain.records import Record

ACCOUNT, OTHER_ACCOUNT = "100000000001", "100000000002"
KEY_ID = "11111111-2222-4333-8444-555555555555"


def conditional() -> Statement:
    """A statement with everything that came with a later release."""
    conditions = (
        Condition("StringLike", "secretsd:PrincipalTag/team", ("a*", "b")),
        Condition("Bool", "secretsd:SecureTransport", ("true",)),
    )
    return Statement(Effect.DENY, (), (), "all-others", ("Get*",), ("secret/x",), (OTHER_ACCOUNT, "*"), conditions)


def group(name: str = "dbas") -> Group:
    """A group with a policy of its own."""
    return Group(ACCOUNT, name, 1_700_000_000_021, "they", ("readers",), (InlinePolicy("own", (conditional(),)),))


def role(name: str = "deployer", identifier: str | None = None) -> Role:
    """A role that another account is trusted with."""
    trust = Statement(Effect.ALLOW, ("AssumeRole",), ("*",), principals=(OTHER_ACCOUNT,))
    inline = (InlinePolicy("own", (conditional(),)),)
    more = ("deploys", ("writers",), inline, "bounds", 7_200, 1_700_000_000_023, {"team": "x"})
    return Role(ACCOUNT, name, identifier or f"id-of-{name}", 1_700_000_000_022, (trust,), *more)


def access_key(identifier: str = "AK1", user: str = "ann") -> AccessKey:
    """An access key whose secret nobody sealed."""
    return AccessKey(identifier, ACCOUNT, user, "c2VhbGVk", True, 1_700_000_000_024)


def session(digest: str = "cd" * 32, access_key: str = "STS1", expires_ms: int = 1_700_000_900_025) -> Session:
    """A session of the sample role."""
    by = f"secretsd:{OTHER_ACCOUNT}:user/bob"
    sealed = ("c2VhbGVk", (conditional(),), by, True, 1_700_000_000_025, expires_ms)
    return Session(digest, access_key, ACCOUNT, "deployer", "id-of-deployer", "build-7", *sealed)


def proof_space(space: str = "systemd:unit/acme-*.service") -> ProofSpace:
    """Units that are the account's."""
    return ProofSpace(space, ACCOUNT, 1_700_000_000_026)


def authority(name: str = "acme-ca") -> CertificateAuthority:
    """An authority that signed nothing."""
    return CertificateAuthority(name, ACCOUNT, "-----BEGIN CERTIFICATE-----\n…", "", 1_700_000_000_027)


def token_issuer(name: str = "cluster") -> TokenIssuer:
    """An issuer of JWTs."""
    claims = ("sub",), {"kubernetes.io/cluster": "a"}
    return TokenIssuer(
        name, ACCOUNT, f"https://{name}.example", "secretsd", '{"keys":[]}', "", *claims, 1_700_000_000_028
    )


def resource_policy(resource: str = f"key/{KEY_ID}") -> ResourcePolicy:
    """What the owner of the sample key lets another account do."""
    return ResourcePolicy(ACCOUNT, resource, (conditional(),), 1_700_000_000_029)


def grant(identifier: str = "ab" * 32, key_id: str = KEY_ID, expires_ms: int | None = None) -> Grant:
    """A grant to a role of another account."""
    grantee = f"secretsd:{OTHER_ACCOUNT}:role/vendor"
    bounds = (("Encrypt", "Decrypt"), {"tenant": "1"}, {"a": "b"}, "vendor", f"secretsd:{ACCOUNT}:user/ann")
    return Grant(ACCOUNT, key_id, identifier, grantee, *bounds, "secretsd:1:user/x", "", 1_700_000_000_030, expires_ms)


def every_kind() -> list[Record]:
    """One record of each of these types."""
    return [
        group(),
        role(),
        access_key(),
        session(),
        proof_space(),
        authority(),
        token_issuer(),
        resource_policy(),
        grant(),
    ]
