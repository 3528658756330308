"""What the wall test throws at the wall: for every operation requests that aim at another account, built by type."""

import base64
from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import inspect

from secretsd.api.fields import Request, read_value
from secretsd.operations.registry import Operation
from secretsd.testing.policies import document

READ = {"effect": "Allow", "action": ["*"], "resource": ["*"]}
_RSA = generate_private_key(65537, 2048).public_key()
_PUBLIC_KEY = base64.b64encode(_RSA.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
_OF_OPERATION: Mapping[str, Mapping[str, Any]] = {
    "PutResourcePolicy": {"document": document({"effect": "Allow", "action": ["*"], "principal": ["*"]})},
    "CreateBinding": {"role": None},
    "ExportDataKey": {"public_key": _PUBLIC_KEY},
    "GenerateAndExportDataKey": {"public_key": _PUBLIC_KEY},
}
"""Where a field means another thing than it does elsewhere."""


class NoRecipe(Exception):
    """A field of a request that nobody has said how to aim at another account."""


def requests(operation: Operation, victim: Mapping[str, str]) -> Iterator[tuple[Request, str]]:
    """Each request once, and as JSON.

    By plain names, as if they were of the caller's account; in full; by alias; in full where a plain name belongs.
    """
    seen = set()
    for spelling in (_plain(victim), _in_full(victim), _by_alias(victim), *_nested(victim)):
        fields = {}
        for part in cast(inspect.StructType, inspect.type_info(operation.request)).fields:
            if part.name in spelling:
                fields[part.name] = spelling[part.name]
            elif part.required:
                fields[part.name] = sample(operation.name, part.name, part.type)
        fields |= _OF_OPERATION.get(operation.name, {})
        written = _fitting(operation.request, fields, _plain(victim))
        text = msgspec.json.encode(written, order="sorted").decode()
        if text not in seen:
            seen.add(text)
            yield msgspec.convert(written, operation.request, dec_hook=read_value), text


def _fitting(kind: type[Request], fields: dict[str, Any], plain: Mapping[str, Any]) -> dict[str, Any]:
    """The fields, by their plain name where they take no other: then there is no way to name another account's."""
    try:
        msgspec.convert(fields, kind, dec_hook=read_value)
    except msgspec.ValidationError:
        return {name: plain.get(name, value) for name, value in fields.items()}
    return fields


def _plain(victim: Mapping[str, str]) -> dict[str, Any]:
    """Each field that names something, with the victim's name of it: this is what a new kind of thing adds to."""
    document_of_all = document(READ)
    return {
        **dict.fromkeys(("key", "destination_key", "key_id"), victim["key"]),
        **{
            field: victim[field]
            for field in (
                "user",
                "group",
                "role",
                "policy",
                "alias",
                "grant",
                "proof",
                "ciphertext",
                "access_key",
                "token_issuer",
            )
        },
        "certificate_authority": victim["certificate_authority"],
        "name": victim["secret"],
        "names": [victim["secret"]],
        "resource": f"secret/{victim['secret']}",
        "account": victim["account"],
        "account_name": "made-by-the-caller",
        "boundary": victim["policy"],
        "principal": f"user/{victim['user']}",
        "action": "GetSecretValue",
        "id": victim["token"],
        "prefix": "",
        "session_name": "callers-session",
        "text": "x",
        "target": "nowhere",
        "rotator": "random",
        "space": victim["proof"],
        "every_account": True,
        "grantee": victim["caller"],
        "operations": ["Decrypt"],
        "document": document_of_all,
        "trust": document({"effect": "Allow", "action": ["AssumeRole"], "principal": ["*"]}),
        "stage": "current",
        "version": 1,
        "wrapping_algorithm": "RSAES_OAEP_SHA_256",
        "force": True,
        "issuer": "https://issuer.of.the.victim",
        "audience": "victim",
        "keys_url": "https://issuer.of.the.caller",
    }


def _in_full(victim: Mapping[str, str]) -> dict[str, Any]:
    before = f"secretsd:{victim['account']}:"
    plain = _plain(victim)
    for field in ("key", "destination_key", "key_id"):
        plain[field] = f"{before}key/{victim['key']}"
    plain |= {"name": f"{before}secret/{victim['secret']}", "names": [f"{before}secret/{victim['secret']}"]}
    plain |= {field: f"{before}{field}/{victim[field]}" for field in ("user", "group", "role", "policy")}
    plain |= {"resource": f"{before}key/{victim['key']}", "alias": f"{before}alias/{victim['alias']}"}
    return plain | dict.fromkeys(("retiring_principal", "principal"), f"{before}user/{victim['user']}")


def _by_alias(victim: Mapping[str, str]) -> dict[str, Any]:
    before, full = f"secretsd:{victim['account']}:", _in_full(victim)
    for field in ("key", "destination_key", "key_id"):
        full[field] = f"{before}alias/{victim['alias']}"
    return full | {"resource": f"alias/{victim['alias']}"}


def _nested(victim: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    before, plain = f"secretsd:{victim['account']}:", _plain(victim)
    for kind in ("key", "secret", "alias", "user", "role"):
        yield plain | {"resource": f"{kind}/{before}{kind}/{victim[kind]}"}
    named = {
        field: f"{field}/{before}{field}/{victim[field]}" for field in ("user", "group", "role", "policy", "alias")
    }
    for field in ("key", "destination_key", "key_id"):
        named[field] = f"key/{before}key/{victim['key']}"
    yield plain | named | {"name": f"secret/{before}secret/{victim['secret']}"}


def sample(operation: str, name: str, kind: inspect.Type) -> Any:
    """Something of a type, for what names nothing; NoRecipe for a text of a certain form, which may name something."""
    match kind:
        case inspect.Metadata():
            return sample(operation, name, kind.type)
        case inspect.LiteralType():
            return kind.values[0]
        case inspect.BoolType():
            return True
        case inspect.IntType():
            return max(kind.ge or 0, 1)
        case inspect.BytesType():
            return base64.b64encode(b"x" * max(kind.min_length or 0, 1)).decode()
        case inspect.CustomType():
            return "eA=="
        case inspect.DictType():
            return {"a": "b"}
        case inspect.VarTupleType():
            return [sample(operation, name, kind.item_type)]
        case inspect.StrType() if kind.pattern is None:
            return "x"
    raise NoRecipe(f"cannot aim {operation} at another account: add a recipe for {name} to {__name__}")
