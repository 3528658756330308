"""What a module can do beyond what nothing here can do without: tried out once, at start, with keys that go at once.

Whatever it can do it must also do honestly: each kind of key that it has is tried as a thief would try it.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pkcs11 import Mechanism
from pkcs11.exceptions import PKCS11Error

from secretsd.adapters.pkcs11 import asymmetric, attributes, guarding, rsa_sample, software_abilities
from secretsd.adapters.pkcs11.faults import ModuleRefused, inability
from secretsd.adapters.pkcs11.key_kinds import KeyKind, Pair, kind_for
from secretsd.adapters.pkcs11.protection import Template
from secretsd.adapters.pkcs11.suites import SUITES, suite_of_new_keys
from secretsd.domain.algorithms import SigningAlgorithm, digest_bytes, mac_algorithms, signing_algorithms
from secretsd.domain.envelope import SUITE_NONE
from secretsd.domain.key_specs import SPECS, KeyFamily, KeySpec, KeyUsage

if TYPE_CHECKING:
    from secretsd.adapters.pkcs11.token_session import Root, TokenSession


def inabilities(session: "TokenSession", root: "Root") -> dict[str, str]:
    """Specs and algorithms that the module lacks, each with the reason as half a sentence; ModuleRefused, PKCS11Error.

    RSA is tried with a key that is entered, because making one takes a second; of longer ones the module is believed.
    """
    found: dict[str, str] = {}
    for spec, rules in SPECS.items():
        if rules.software:
            found |= software_abilities.inabilities(spec, session.suites)
        elif rules.family is not KeyFamily.RSA and (reason := _tried(session, root, spec)) is not None:
            found[spec.value] = reason
    return found | _rsa(session, root)


def _tried(session: "TokenSession", root: "Root", spec: KeySpec) -> str | None:
    suite = suite_of_new_keys(spec, session.suites)
    if SPECS[spec].family is KeyFamily.AES and suite == SUITE_NONE:
        return f"offers no AES-GCM, and without it no cipher for {spec.value}"
    kind = kind_for(spec, SPECS[spec].usages[0], suite)
    try:
        key, _ = session.make(kind)
        key = _proved(session, root, kind, session.completed(kind, key))
        _use(key, kind, suite)
        key.destroy()
    except PKCS11Error as error:
        if not inability(error):
            raise
        return f"offers no {spec.value}"
    return None


def _proved(session: "TokenSession", root: "Root", kind: KeyKind, key: Any) -> Any:
    """The key, by way of its blob where it has one; ModuleRefused where it is not as it should be, or can be had."""
    blob = b""
    if not kind.resident:
        blob = session.wrap(root, key)
        if not kind.fits(blob):
            raise ModuleRefused(f"cannot use the module: a wrapped key of spec {kind.spec.value} has another length")
        for part, one, _ in _parts(kind, key, blob):
            _require_honest(part, one, session.protection.made)
        key.destroy()
        key = session.unwrap(root, kind, blob)
    for part, one, its_blob in _parts(kind, key, blob):
        _require_honest(part, one, session.protection.loaded)
        guarding.require_guarded(session, root, part, one, its_blob)
    return key


def _parts(kind: KeyKind, key: Any, blob: bytes) -> list[tuple[KeyKind, Any, bytes]]:
    if not isinstance(key, Pair):
        return [(kind, key, blob)]
    end = kind.wrapped_bytes
    return [(replace(kind, paired=False), key.cipher, blob[:end]), (kind.partner, key.mac, blob[end:])]


def _require_honest(kind: KeyKind, key: Any, template: Template) -> None:
    told = (kind.uses, kind.object_class, kind.key_type)
    attributes.require_honest_cmk(key, *told, resident=kind.resident, template=template)


def _use(key: Any, kind: KeyKind, suite: int) -> None:
    match kind.family:
        case KeyFamily.AES:
            if not SUITES[suite].known_answer(key)():
                raise ModuleRefused("cannot use the module: it does not open what it sealed")
        case KeyFamily.HMAC:
            asymmetric.mac(key, mac_algorithms(kind.spec)[0], b"message")
        case _:
            _sign(key, signing_algorithms(kind.spec)[0])


def _sign(key: Any, algorithm: SigningAlgorithm) -> None:
    asymmetric.sign(key, algorithm, bytes(digest_bytes(algorithm) or 32))


def _rsa(session: "TokenSession", root: "Root") -> dict[str, str]:
    found = _rsa_sizes(session.owner)
    try:
        signs = _proved(session, root, kind := _rsa_kind(KeyUsage.SIGN_VERIFY), _sample(session, kind))
        for algorithm in signing_algorithms(KeySpec.RSA_2048):
            try:
                _sign(signs, algorithm)
            except PKCS11Error as error:
                if not inability(error):
                    raise
                found[algorithm.value] = f"offers no {algorithm.value}"
        signs.destroy()
        kind = _rsa_kind(KeyUsage.ENCRYPT_DECRYPT)
        _proved(session, root, kind, _sample(session, kind)).destroy()
    except PKCS11Error as error:
        if not inability(error):
            raise
        # It may have RSA keys, but none that it takes in, wraps and unwraps: then each would be lost at once.
        return {spec.value: "keeps no RSA keys that it can wrap" for spec in _RSA} | found
    return found | _oaep(session.owner)


def _sample(session: "TokenSession", kind: KeyKind) -> Any:
    return rsa_sample.enter(session.owner, kind, session.protection.made)


def _rsa_kind(usage: KeyUsage) -> KeyKind:
    return kind_for(KeySpec.RSA_2048, usage)


def _rsa_sizes(session: Any) -> dict[str, str]:
    making = Mechanism.RSA_PKCS_KEY_PAIR_GEN
    slot = session.token.slot
    longest = int(slot.get_mechanism_info(making).max_key_length) if making in slot.get_mechanisms() else 0
    return {spec.value: f"makes no RSA keys of {SPECS[spec].bits} bits" for spec in _RSA if SPECS[spec].bits > longest}


def _oaep(session: Any) -> dict[str, str]:
    """Which OAEP is missing: whoever cannot encrypt by it cannot decrypt by it."""
    public = asymmetric.public_object(session, *rsa_sample.public_numbers())
    found: dict[str, str] = {}
    for algorithm, parameters in asymmetric.OAEP.items():
        try:
            public.encrypt(b"message", mechanism=Mechanism.RSA_PKCS_OAEP, mechanism_param=parameters)
        except PKCS11Error as error:
            if not inability(error):
                raise
            name = algorithm.value.removeprefix("RSAES_")
            reason = f"offers no RSA-{name.replace('_', '-')}"
            found |= {algorithm.value: reason, f"RSA_AES_KEY_WRAP_{name.removeprefix('OAEP_')}": reason}
    public.destroy()
    return found


_RSA = tuple(spec for spec, rules in SPECS.items() if rules.family is KeyFamily.RSA)
