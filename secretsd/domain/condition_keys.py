"""What conditions of policies may ask about: each key with its type. What is not here is refused, never ignored."""

from dataclasses import dataclass
from enum import Enum


class KeyType(Enum):
    """What the values of a key are, and so which operators go with it."""

    STRING = "String"
    NUMERIC = "Numeric"
    DATE = "Date"
    BOOL = "Bool"
    IP_ADDRESS = "IpAddress"


@dataclass(frozen=True, slots=True)
class ConditionKey:
    """A key: `many` where a request may have several values of it; `family` where a name follows after a slash.

    `values` are all that it can have, where they are few; else ().
    """

    type: KeyType
    meaning: str
    many: bool = False
    family: bool = False
    values: tuple[str, ...] = ()


PREFIX = "secretsd:"
PROOF_KINDS = "unix", "systemd", "tls", "jwt", "token", "enrolment", "access-key", "session", "schedule"
"""How the proofs of principals begin: with one of these words, and a colon or a slash where more follows."""
CONDITION_KEYS = {
    "secretsd:CurrentTime": ConditionKey(KeyType.DATE, "when the request came"),
    "secretsd:SourceIp": ConditionKey(KeyType.IP_ADDRESS, "the address at the other end of a TCP connection"),
    "secretsd:SecureTransport": ConditionKey(KeyType.BOOL, "whether it came over TLS or a Unix socket"),
    "secretsd:UnixUid": ConditionKey(KeyType.NUMERIC, "the uid at the other end of a Unix socket"),
    "secretsd:SystemdUnit": ConditionKey(KeyType.STRING, "the systemd unit at the other end of a Unix socket"),
    "secretsd:ProofKind": ConditionKey(
        KeyType.STRING, f"how the caller was proved: {', '.join(PROOF_KINDS)}", values=PROOF_KINDS
    ),
    "secretsd:Principal": ConditionKey(KeyType.STRING, "the caller: secretsd:<account>:user/<name> or …:role/<name>"),
    "secretsd:PrincipalAccount": ConditionKey(KeyType.STRING, "the caller's account"),
    "secretsd:PrincipalTag": ConditionKey(KeyType.STRING, "a tag of the user or role", family=True),
    "secretsd:SessionName": ConditionKey(KeyType.STRING, "the name that a session of a role was given"),
    "secretsd:TokenIssueTime": ConditionKey(KeyType.DATE, "when the token or session was made"),
    "secretsd:ExternalId": ConditionKey(KeyType.STRING, "what the caller of AssumeRole gave as external id"),
    "secretsd:ResourceAccount": ConditionKey(KeyType.STRING, "the account of the resource"),
    "secretsd:ResourceTag": ConditionKey(KeyType.STRING, "a tag of the secret, key, user or role", family=True),
    "secretsd:RequestTag": ConditionKey(KeyType.STRING, "a tag that the request sets", family=True),
    "secretsd:TagKeys": ConditionKey(
        KeyType.STRING, "the names of the tags that the request sets or takes away", many=True
    ),
    "secretsd:PermissionsBoundary": ConditionKey(
        KeyType.STRING,
        "the name of the boundary of the user or role; of a new one that which the request sets; missing where a "
        "request sets another one than is there",
    ),
    "secretsd:EncryptionContext": ConditionKey(KeyType.STRING, "a value of the encryption context", family=True),
    "secretsd:EncryptionContextKeys": ConditionKey(
        KeyType.STRING, "the names in the request's encryption context", many=True
    ),
    "secretsd:VersionStage": ConditionKey(KeyType.STRING, "the version stages that the request names", many=True),
    "secretsd:VersionId": ConditionKey(KeyType.STRING, "the id of the secret version that the request names"),
}


def condition_key(name: str) -> ConditionKey | None:
    """The key of that name, families with the name behind their slash (`secretsd:ResourceTag/env`); None if unknown."""
    family, slash, rest = name.partition("/")
    found = CONDITION_KEYS.get(family)
    if found is None or found.family != bool(slash) or (slash and not rest):
        return None
    return found
