"""Grants: named operations on one key for one principal, under a condition on the encryption context, revocable."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from secretsd.domain.conditions import Compiled, Condition
from secretsd.domain.names import LAST_MS
from secretsd.domain.policy_rules import Applying, Who

GRANT_OPERATIONS = frozenset({
    "Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext",
    "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "ExportDataKey", "GenerateAndExportDataKey",
    "Sign", "Verify", "GenerateMac", "VerifyMac", "GetPublicKey", "DescribeKey", "CreateGrant", "RetireGrant",
})  # fmt: skip
"""What can be granted: uses of the key, never its life (AWS KMS CreateGrant)."""
CONTEXT_OPERATIONS = frozenset({
    "Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext",
    "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "ExportDataKey", "GenerateAndExportDataKey",
})  # fmt: skip
"""Those that bind an encryption context, and so are held to a grant's constraints."""
UNCONSTRAINED = frozenset({"DescribeKey", "CreateGrant", "RetireGrant"})
"""Those that a grant with constraints may name although they bind none: they touch no data."""
MAX_GRANTS = 1_000
"""Most grants of one key."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Grant:
    """What the key's owner lets `grantee` do with it (a principal in full, or an account).

    Of the encryption context `equals` must be all, `subset` must be in it; both empty for no constraint. `retiring`
    may give the grant up besides the owner; "" for nobody. `parent` is the grant by which its maker was allowed to.

    `grantee_ms` and `retiring_ms` are when those two users or roles were made, and so who is meant; 0 for an account,
    or somebody who was not there. None where an earlier release did not note it: then who was made before the grant.
    """

    account: str
    key_id: str
    id: str
    grantee: str
    operations: tuple[str, ...]
    equals: Mapping[str, str]
    subset: Mapping[str, str]
    name: str
    retiring: str
    by: str
    parent: str
    created_ms: int
    expires_ms: int | None = None
    revision: int = 0
    grantee_ms: int | None = None
    retiring_ms: int | None = None

    def ready(self) -> "ReadyGrant":
        """The grant made ready to decide."""
        return ReadyGrant(self)


class ReadyGrant:
    """A grant as something that applies to operations. Expiry and constraints are conditions like those of policies.

    With ReEncryptFrom goes ReEncrypt, which is asked as well on the key that a ciphertext leaves. Whoever may retire a
    grant needs not be allowed to do anything else. A user or role that was made anew is another one, of the same name,
    than who was meant; an account's number is never given again.
    """

    __slots__ = ("_grant", "_grantee", "_operations", "_others", "_retiring", "_with_context")

    def __init__(self, grant: Grant) -> None:
        self._grant = grant
        self._grantee = frozenset((grant.grantee,))
        self._retiring = frozenset((grant.retiring,) if grant.retiring else ())
        implied = ("ReEncrypt",) if "ReEncryptFrom" in grant.operations else ()
        self._operations = frozenset((*grant.operations, *implied))
        expiry = _expiry(grant)
        source = f"grant/{grant.id}", 1, grant.name
        self._with_context = Applying(*source, tuple(map(Compiled, (*expiry, *_constraints(grant)))))
        self._others = Applying(*source, tuple(map(Compiled, expiry)))

    def applying(self, operation: str, who: Who) -> Applying | None:
        """The grant, where it is that caller's and speaks of the operation; conditions are not looked at yet."""
        grant = self._grant
        if operation == "RetireGrant" and who.is_named(self._retiring) and _is_meant(who, grant, grant.retiring_ms):
            return self._others
        named = who.is_named(self._grantee) and _is_meant(who, grant, grant.grantee_ms)
        meant = named or who.account in self._grantee
        if operation not in self._operations or not meant:
            return None
        return self._others if operation in UNCONSTRAINED else self._with_context

    def allowed_principals(self, operation: str) -> frozenset[str]:
        """Whom it lets do the operation: a principal in full, or an account."""
        named = self._grantee if operation in self._operations else frozenset[str]()
        return named | self._retiring if operation == "RetireGrant" else named


def _is_meant(who: Who, grant: Grant, made_ms: int | None) -> bool:
    if who.since_ms is None:
        return True
    return who.since_ms <= grant.created_ms if made_ms is None else who.since_ms == made_ms


def _expiry(grant: Grant) -> tuple[Condition, ...]:
    if grant.expires_ms is None or grant.expires_ms > LAST_MS:
        return ()
    moment = _EPOCH + timedelta(milliseconds=grant.expires_ms)
    return (Condition("DateLessThan", "secretsd:CurrentTime", (moment.isoformat(timespec="milliseconds"),)),)


def _constraints(grant: Grant) -> list[Condition]:
    wanted = {**grant.subset, **grant.equals}
    conditions = [
        Condition("StringEquals", f"secretsd:EncryptionContext/{name}", (value,)) for name, value in wanted.items()
    ]
    if grant.equals:
        names = tuple(grant.equals)
        conditions.append(Condition("ForAllValues:StringEquals", "secretsd:EncryptionContextKeys", names))
    return conditions
