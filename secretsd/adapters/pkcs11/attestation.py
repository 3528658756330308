"""Evidence of what the keys are: everything that the module tells of root keys and of sample CMKs, read back.

It proves that this token, with these keys, said so to this process at that moment: the HMAC is by the root's MAC key,
the signature by a key of the token's own that cannot leave it. It does not prove that the token is hardware, nor that
the module told the truth: only its maker's own attestation could, and SoftHSM2 has none.
"""

import base64
import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from asn1crypto import pem
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.exceptions import PKCS11Error
from pkcs11.util.ec import encode_ecdsa_signature, encode_named_curve_parameters

from secretsd.adapters.pkcs11 import attributes, faults, key_kinds
from secretsd.adapters.pkcs11.key_kinds import KeyKind, Pair, kind_for
from secretsd.adapters.pkcs11.root_check import check_value
from secretsd.adapters.pkcs11.root_rotation import RootToken
from secretsd.adapters.pkcs11.token_session import Root, TokenSession
from secretsd.domain.key_specs import SPECS, KeyFamily, KeySpec, KeyUsage

FORMAT = "secretsd attestation 1"
SIGNER_LABEL = "secretsd attestation"
_DOMAIN = b"secretsd attestation 1\0"
_TOLD = (
    Attribute.TOKEN,
    Attribute.PRIVATE,
    Attribute.SENSITIVE,
    Attribute.ALWAYS_SENSITIVE,
    Attribute.EXTRACTABLE,
    Attribute.NEVER_EXTRACTABLE,
    Attribute.WRAP_WITH_TRUSTED,
    Attribute.TRUSTED,
    Attribute.LOCAL,
    Attribute.MODIFIABLE,
    Attribute.COPYABLE,
    Attribute.DESTROYABLE,
    Attribute.ENCRYPT,
    Attribute.DECRYPT,
    Attribute.SIGN,
    Attribute.VERIFY,
    Attribute.WRAP,
    Attribute.UNWRAP,
    Attribute.DERIVE,
)
_SIGNING_KIND = kind_for(KeySpec.ECC_NIST_P256, KeyUsage.SIGN_VERIFY)


def attest(token: RootToken) -> dict[str, Any]:
    """Evidence, its HMAC by the MAC key that `root` names, and its signature: DER, ECDSA P-256 with SHA-256.

    Both are over the evidence as canonical JSON: keys sorted, nothing between tokens, ASCII only.
    """
    with token.opened() as session:
        root = session.current
        assert root is not None  # noqa: S101  # an open token has one
        document = canonical(_evidence(token, session))
        tag = session.mac(root, _DOMAIN + document)
        signed: dict[str, Any] = {"evidence": json.loads(document), "root": root.kek_id, "hmac": _text(tag)}
        try:
            signature, public_key = _signed(session, document)
        except PKCS11Error as error:
            return signed | {"signature": None, "unsigned_because": f"the module answers {faults.name(error)}"}
        armoured = pem.armor("PUBLIC KEY", public_key).decode()
        return signed | {"signature": _text(signature), "public_key": armoured}


def canonical(evidence: dict[str, Any]) -> bytes:
    """The bytes that are authenticated."""
    return json.dumps(evidence, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _evidence(token: RootToken, session: TokenSession) -> dict[str, Any]:
    found, slot = session.owner.token, session.owner.token.slot
    return {
        "format": FORMAT,
        "made": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "module": {"path": token.library.module, "name": token.library.name},
        "token": {
            "label": str(found.label),
            "serial": found.serial.decode("ascii", "replace").strip(),
            "manufacturer": str(found.manufacturer_id),
            "model": str(found.model),
            "hardware": ".".join(map(str, found.hardware_version)),
            "firmware": ".".join(map(str, found.firmware_version)),
        },
        "mechanisms": {_name(one): _mechanism(slot, one) for one in slot.get_mechanisms()},
        # The token was opened just now, and opens only for a module that passed them all.
        "known_answers": "passed at the start of this very process",
        "inabilities": dict(session.inabilities),
        "roots": [_root(session, root) for root in sorted(session.roots.values(), key=lambda one: one.generation)],
        "samples": _samples(session),
    }


def _mechanism(slot: Any, mechanism: Any) -> dict[str, Any]:
    told = slot.get_mechanism_info(mechanism)
    flags = sorted(str(flag.name) for flag in told.flags)
    return {"smallest": int(told.min_key_length), "largest": int(told.max_key_length), "uses": flags}


def _root(session: TokenSession, root: Root) -> dict[str, Any]:
    return {
        "kek_id": root.kek_id,
        "generation": root.generation,
        "wraps": root is session.current,
        "renewable": not root.protection.fixed,
        "check": check_value(session.owner, root.kek, root.mac_key, root.kek_id, root.generation),
        "kek": _read(root.kek),
        "mac_key": _read(root.mac_key),
    }


def _samples(session: TokenSession) -> dict[str, Any]:
    """One CMK of each kind, made, wrapped and loaded as every CMK is; gone when this returns."""
    seen: set[tuple[KeyFamily, KeyUsage]] = set()
    found: dict[str, Any] = {}
    for spec, rules in SPECS.items():
        for usage in rules.usages:
            if spec.value in session.inabilities or rules.software or (rules.family, usage) in seen:
                continue
            seen.add((rules.family, usage))
            found[f"{spec.value} {usage.value}"] = _sample(session, kind_for(spec, usage, session.suite_of_new(spec)))
    return found


def _sample(session: TokenSession, kind: KeyKind) -> dict[str, Any]:
    key, _ = session.make(kind)
    if kind.resident:
        told = {"stays on the token": True, "loaded": _read(key)}
        key.destroy()
        return told
    root = session.current
    assert root is not None  # noqa: S101  # an open token has one
    key = session.completed(kind, key)
    blob = session.wrap(root, key)
    key.destroy()
    loaded = session.unwrap(root, kind, blob)
    parts = (loaded.cipher, loaded.mac) if isinstance(loaded, Pair) else (loaded,)
    told = {"wrapped_bytes": len(blob), "loaded": [_read(part) for part in parts]}
    loaded.destroy()
    return told


def _read(key: Any) -> dict[str, Any]:
    """Each attribute as the module tells it, null where it does not; and whether it shows the material."""
    told: dict[str, Any] = {"key_type": str(key[Attribute.KEY_TYPE].name), "class": str(key[Attribute.CLASS].name)}
    for attribute in _TOLD:
        try:
            told[attribute.name.lower()] = bool(key[attribute])
        except (PKCS11Error, KeyError):
            told[attribute.name.lower()] = None
    shown = []
    for attribute in (Attribute.VALUE, Attribute.PRIVATE_EXPONENT, Attribute.PRIME_1):
        try:
            shown += [attribute.name.lower()] if key[attribute] else []
        except (PKCS11Error, KeyError):
            continue
    return told | {"material_shown": shown}


def _signed(session: TokenSession, document: bytes) -> tuple[bytes, bytes]:
    """Signature and public key of a key that was made for this once, and that cannot leave the token."""
    writing = session.owner.token.open(rw=True, attribute_mapper=attributes.Mapper())
    try:
        private, public = _signer(writing) or _new_signer(writing)
        signature = private.sign(sha256(document).digest(), mechanism=Mechanism.ECDSA)
        return bytes(encode_ecdsa_signature(signature)), key_kinds.public_key_info(_SIGNING_KIND, public)
    finally:
        writing.close()


def _signer(session: Any) -> tuple[Any, Any] | None:
    """The signing key's two objects; halves of one whose making was cut short go."""
    found = {
        kind: list(session.get_objects({Attribute.CLASS: kind, Attribute.LABEL: SIGNER_LABEL}))
        for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY)
    }
    if all(len(objects) == 1 for objects in found.values()):
        private, public = (objects[0] for objects in found.values())
        return private, public
    for orphan in (one for objects in found.values() for one in objects):
        orphan.destroy()
    return None


def _new_signer(session: Any) -> tuple[Any, Any]:
    curve = {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
    public, private = session.create_domain_parameters(KeyType.EC, curve, local=True).generate_keypair(
        store=True,
        label=SIGNER_LABEL,
        capabilities=attributes.SIGNING,
        private_template=attributes.RESIDENT,
        public_template={Attribute.PRIVATE: True},
    )
    return private, public


def _name(mechanism: Any) -> str:
    return str(getattr(mechanism, "name", mechanism))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
