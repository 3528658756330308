"""Known answers: published and independently computed vectors that the module must reproduce before it is trusted."""

from typing import Any

from pkcs11 import Attribute, GCMParams, KeyType, Mechanism, MechanismFlag, ObjectClass

from secretsd.adapters.pkcs11.attributes import CRYPTING, SIGNING, WRAPPING
from secretsd.adapters.pkcs11.faults import ModuleRefused

# McGrew and Viega, The Galois/Counter Mode of Operation, test case 16.
_GCM_KEY = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
_GCM_IV = bytes.fromhex("cafebabefacedbaddecaf888")
_GCM_AAD = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
_GCM_TEXT = bytes.fromhex(
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
)
_GCM_ANSWER = bytes.fromhex(
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece"
    "0f4e1768cddf8853bb2d551b"
)
# RFC 5649 has no vector with a 256-bit KEK; this one was computed with OpenSSL.
_KWP_KEK = bytes(range(32))
_KWP_KEY = bytes(range(32, 64))
_KWP_ANSWER = bytes.fromhex("92f48c52045c08050ec796a5a91c5ddaf7c61cbdc940adc8d3dc8a144f6161a8c5d3299e325f1750")
# RFC 4231, test case 6.
_HMAC_KEY = b"\xaa" * 131
_HMAC_TEXT = b"Test Using Larger Than Block-Size Key - Hash Key First"
_HMAC_ANSWER = bytes.fromhex("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")

# CKM_AES_KEY_WRAP_KWP has its own number since PKCS#11 3.1; SoftHSM does the same under the older number.
_KWP_MECHANISMS = (Mechanism.AES_KEY_WRAP_KWP, Mechanism.AES_KEY_WRAP_PAD)
_USES = {
    MechanismFlag.ENCRYPT: Attribute.ENCRYPT,
    MechanismFlag.DECRYPT: Attribute.DECRYPT,
    MechanismFlag.WRAP: Attribute.WRAP,
    MechanismFlag.UNWRAP: Attribute.UNWRAP,
    MechanismFlag.SIGN: Attribute.SIGN,
    MechanismFlag.VERIFY: Attribute.VERIFY,
}
_NEEDED = {
    Mechanism.AES_KEY_GEN: "generate AES keys",
    Mechanism.GENERIC_SECRET_KEY_GEN: "generate MAC keys",
    Mechanism.SHA256_HMAC: "compute HMAC-SHA-256",
}


def require_mechanisms(token: Any) -> None:
    """ModuleRefused, with the reason, where the token lacks a mechanism that nothing here can do without."""
    offered = token.slot.get_mechanisms()
    if Mechanism.AES_GCM not in offered:
        raise ModuleRefused("cannot use the module: it has no AES-GCM, and no other cipher suite is supported yet")
    for mechanism, ability in _NEEDED.items():
        if mechanism not in offered:
            raise ModuleRefused(f"cannot use the module: it cannot {ability}")
    if not offered.intersection(_KWP_MECHANISMS):
        raise ModuleRefused("cannot use the module: it cannot wrap keys as in RFC 5649")


def require_known_answers(session: Any) -> Mechanism:
    """The mechanism that is RFC 5649 in this module; ModuleRefused where GCM, KWP or HMAC give a wrong answer."""
    _gcm(session)
    _hmac(session)
    return _kwp(session)


def _import(session: Any, kind: KeyType, value: bytes, uses: MechanismFlag, **more: bool) -> Any:
    template = {
        Attribute.CLASS: ObjectClass.SECRET_KEY,
        Attribute.KEY_TYPE: kind,
        Attribute.VALUE: value,
        Attribute.TOKEN: False,
        Attribute.PRIVATE: True,
    }
    template |= {attribute: True for flag, attribute in _USES.items() if flag in uses}
    return session.create_object(template | {Attribute[name]: value for name, value in more.items()})


def _gcm(session: Any) -> None:
    key = _import(session, KeyType.AES, _GCM_KEY, CRYPTING)
    parameters = GCMParams(_GCM_IV, _GCM_AAD, 128)
    answer = key.encrypt(_GCM_TEXT, mechanism=Mechanism.AES_GCM, mechanism_param=parameters)
    back = key.decrypt(_GCM_ANSWER, mechanism=Mechanism.AES_GCM, mechanism_param=parameters)
    key.destroy()
    if answer != _GCM_ANSWER or back != _GCM_TEXT:
        raise ModuleRefused("cannot use the module: its AES-GCM gives a wrong answer")


def _hmac(session: Any) -> None:
    key = _import(session, KeyType.GENERIC_SECRET, _HMAC_KEY, SIGNING)
    answer = key.sign(_HMAC_TEXT, mechanism=Mechanism.SHA256_HMAC)
    key.destroy()
    if answer != _HMAC_ANSWER:
        raise ModuleRefused("cannot use the module: its HMAC-SHA-256 gives a wrong answer")


def _kwp(session: Any) -> Mechanism:
    kek = _import(session, KeyType.AES, _KWP_KEK, WRAPPING)
    key = _import(session, KeyType.AES, _KWP_KEY, CRYPTING, EXTRACTABLE=True, SENSITIVE=False)
    offered = session.token.slot.get_mechanisms()
    try:
        for mechanism in _KWP_MECHANISMS:
            if mechanism in offered and kek.wrap_key(key, mechanism=mechanism) == _KWP_ANSWER:
                return mechanism
    finally:
        key.destroy()
        kek.destroy()
    raise ModuleRefused("cannot use the module: its key wrapping is not that of RFC 5649")
