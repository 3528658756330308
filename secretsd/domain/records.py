"""The records that storage keeps: table and key of each, and the authenticator that no writer of storage can make."""

import hashlib
import hmac
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import Enum
from operator import attrgetter
from typing import Any

from secretsd.domain.credentials import AccessKey, Session, Token
from secretsd.domain.errors import Internal
from secretsd.domain.grants import Grant
from secretsd.domain.keys import CMK, Alias, WrappedKey
from secretsd.domain.policy import Policy, ResourcePolicy
from secretsd.domain.principals import Account, Group, Role, User
from secretsd.domain.proofs import Binding, CertificateAuthority, ProofSpace, TokenIssuer
from secretsd.domain.reencryption import ReEncryption
from secretsd.domain.rotation import Rotation, RotationStep
from secretsd.domain.secrets import SealedValue, Secret, SecretVersion
from secretsd.domain.targets import Target, TargetLogin

Record = (
    Account | User | Token | Binding | Policy | CMK | WrappedKey | Secret | SecretVersion | SealedValue | Rotation
    | RotationStep | Target | TargetLogin | Alias | ReEncryption | Group | Role | AccessKey | Session | ProofSpace
    | CertificateAuthority | TokenIssuer | ResourcePolicy | Grant
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RecordKind:
    """Where records of a type live. `key` names the fields that identify one.

    `authenticated` is False where the record proves itself: a sealed value binds its own identity (SECURITY 3).
    """

    table: str
    key: tuple[str, ...]
    authenticated: bool = True


RECORDS: dict[type, RecordKind] = {
    Account: RecordKind("accounts", ("id",)),
    User: RecordKind("users", ("account", "name")),
    Token: RecordKind("tokens", ("digest",)),
    Binding: RecordKind("bindings", ("proof",)),
    Policy: RecordKind("policies", ("account", "name")),
    Group: RecordKind("groups", ("account", "name")),
    Role: RecordKind("roles", ("account", "name")),
    AccessKey: RecordKind("access_keys", ("id",)),
    Session: RecordKind("sessions", ("digest",)),
    ProofSpace: RecordKind("proof_spaces", ("space",)),
    CertificateAuthority: RecordKind("certificate_authorities", ("name",)),
    TokenIssuer: RecordKind("token_issuers", ("name",)),
    ResourcePolicy: RecordKind("resource_policies", ("account", "resource")),
    Grant: RecordKind("grants", ("account", "key_id", "id")),
    CMK: RecordKind("keys", ("account", "id")),
    WrappedKey: RecordKind("key_versions", ("account", "key_id", "version")),
    Alias: RecordKind("aliases", ("account", "name")),
    ReEncryption: RecordKind("reencryptions", ("account", "key_id")),
    Secret: RecordKind("secrets", ("account", "name")),
    SecretVersion: RecordKind("secret_versions", ("account", "secret_id", "id")),
    SealedValue: RecordKind("secret_values", ("account", "secret_id", "version_id"), authenticated=False),
    Rotation: RecordKind("rotations", ("account", "secret_id")),
    RotationStep: RecordKind("rotation_steps", ("account", "secret_id", "number")),
    Target: RecordKind("targets", ("account", "name")),
    TargetLogin: RecordKind("target_logins", ("target", "login")),
}


def key_of(record: Record) -> tuple[str, ...]:
    """What identifies the record within its table, as text; change events and the change feed name it so."""
    return tuple(str(getattr(record, name)) for name in RECORDS[type(record)].key)


class TamperedRecord(Internal):
    """cannot trust the record: its authenticator does not match"""


class RecordAuthenticator:
    """HMAC-SHA-256 over table and every field of a record, revision included, under a key that storage never holds."""

    __slots__ = ("_base",)

    def __init__(self, key: bytes) -> None:
        if len(key) != 32:
            raise ValueError("cannot authenticate records: the key is not 32 bytes")
        self._base = hmac.new(key, b"secretsd record v1\0", hashlib.sha256)

    def mac(self, record: Record) -> bytes:
        """The record's authenticator: 32 bytes, empty for records that prove themselves."""
        kind = type(record)
        if not RECORDS[kind].authenticated:
            return b""
        head, values, later = _FORMS[kind]
        code = self._base.copy()
        code.update(head + b"".join([_WRITERS.get(type(value), _other)(value) for value in values(record)]))
        for name, default in later:
            if (value := getattr(record, name)) != default:
                code.update(_text(name) + _canonical(value))
        return code.digest()

    def verify(self, record: Record, mac: bytes) -> None:
        """Raise TamperedRecord unless the authenticator is the record's own."""
        if not hmac.compare_digest(self.mac(record), mac):
            kind = RECORDS[type(record)]
            raise TamperedRecord(f"cannot trust a record of {kind.table}: its authenticator does not match")


_LENGTH = struct.Struct(">I").pack
_INTEGER = struct.Struct(">q").pack


def _canonical(value: Any) -> bytes:
    """A value's bytes, each with its type and length, so that no two different records have the same ones."""
    return _WRITERS.get(type(value), _other)(value)


def _text(value: str) -> bytes:
    text = value.encode()
    return b"s" + _LENGTH(len(text)) + text


def _list(value: Sequence[Any]) -> bytes:
    return b"l" + _LENGTH(len(value)) + b"".join(map(_canonical, value))


def _mapping(value: Mapping[Any, Any]) -> bytes:
    pairs = [_canonical(part) for pair in sorted(value.items()) for part in pair]
    return b"m" + _LENGTH(len(value)) + b"".join(pairs)


def _other(value: Any) -> bytes:
    """What is of none of the plain types below: an enum's value, a dataclass's fields, another kind of mapping."""
    if isinstance(value, Enum):
        return _canonical(value.value)
    if isinstance(value, Mapping):
        return _mapping(value)
    if is_dataclass(value):
        return b"d" + b"".join(_part(part, getattr(value, part.name)) for part in fields(value))
    raise TypeError(f"cannot authenticate a {type(value).__name__}")


def _part(part: Field[Any], value: Any) -> bytes:
    """A field of a dataclass within a record. One that came with a later release says so in its metadata.

    It is left out at its default, as a record's own later fields are; its mark is the first byte of no other value.
    """
    if not part.metadata.get("later"):
        return _canonical(value)
    return b"" if value == _default(part) else b"+" + _text(part.name) + _canonical(value)


_WRITERS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: b"n",
    bool: lambda value: b"t" if value else b"f",
    int: lambda value: b"i" + _INTEGER(value),
    str: _text,
    bytes: lambda value: b"b" + _LENGTH(len(value)) + value,
    tuple: _list,
    list: _list,
    dict: _mapping,
}


def _form(kind: type, table: str) -> tuple[bytes, Callable[[Any], tuple[Any, ...]], tuple[tuple[str, Any], ...]]:
    names = [part.name for part in fields(kind)]
    first = names.index("revision") + 1
    later = tuple((part.name, _default(part)) for part in fields(kind)[first:])
    return _canonical(table), attrgetter(*names[:first]), later


def _default(part: Field[Any]) -> Any:
    return part.default if part.default_factory is MISSING else part.default_factory()


_FORMS = {kind: _form(kind, described.table) for kind, described in RECORDS.items()}
"""What is authenticated of each type of record; made once, being hot. The table's canonical name and the fields up to
`revision` always; the fields after it, which came with a later release, by name and only where they are not at their
default, so that the rows of an earlier release keep their authenticators."""
