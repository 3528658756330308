"""Known answers: published and independently computed vectors that the module must reproduce before it is trusted."""

from collections.abc import Callable
from typing import Any

from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass
from pkcs11.exceptions import PKCS11Error

from secretsd.adapters.pkcs11 import symmetric
from secretsd.adapters.pkcs11.attributes import CRYPTING, SIGNING, WRAPPING
from secretsd.adapters.pkcs11.faults import ModuleRefused, inability
from secretsd.adapters.pkcs11.suites import GCM
from secretsd.domain.envelope import SUITE_AES_256_CBC_HMAC

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
# NIST SP 800-38A, F.2.5; the last block, of padding alone, was computed with OpenSSL.
_CBC_KEY = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
_CBC_IV = bytes(range(16))
_CBC_TEXT = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
_CBC_ANSWER = bytes.fromhex(
    "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
    "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b"
    "3f461796d6b0d6b2e0c2a72b4d80e644"
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
    if not offered.intersection((Mechanism.AES_GCM, Mechanism.AES_CBC_PAD)):
        raise ModuleRefused("cannot use the module: it has neither AES-GCM nor AES-CBC with padding")
    for mechanism, ability in _NEEDED.items():
        if mechanism not in offered:
            raise ModuleRefused(f"cannot use the module: it cannot {ability}")
    if not offered.intersection(_KWP_MECHANISMS):
        raise ModuleRefused("cannot use the module: it cannot wrap keys as in RFC 5649")


def require_known_answers(session: Any) -> tuple[Mechanism, frozenset[int]]:
    """The mechanism that is RFC 5649 in this module, and the suites that it has.

    ModuleRefused where an answer is wrong, where there is no RFC 5649, or no suite at all. A cipher that the module
    names and then does not do is one that it does not have.
    """
    _hmac(session)
    suites = GCM if _able(session, Mechanism.AES_GCM, _gcm) else frozenset()
    if _able(session, Mechanism.AES_CBC_PAD, _cbc):
        suites |= {SUITE_AES_256_CBC_HMAC}
    if not suites:
        raise ModuleRefused("cannot use the module: it does neither AES-GCM nor AES-CBC with padding")
    return _kwp(session), suites


def _able(session: Any, mechanism: Mechanism, prove: Callable[[Any], None]) -> bool:
    if mechanism not in session.token.slot.get_mechanisms():
        return False
    try:
        prove(session)
    except PKCS11Error as error:
        if not inability(error):
            raise
        return False
    return True


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
    try:
        answer = symmetric.seal(key, _GCM_IV, _GCM_AAD, _GCM_TEXT)
        back = symmetric.unseal(key, _GCM_IV, _GCM_AAD, _GCM_ANSWER)
    finally:
        key.destroy()
    if answer != _GCM_ANSWER or back != _GCM_TEXT:
        raise ModuleRefused("cannot use the module: its AES-GCM gives a wrong answer")


def _cbc(session: Any) -> None:
    key = _import(session, KeyType.AES, _CBC_KEY, CRYPTING)
    parameters = {"mechanism": Mechanism.AES_CBC_PAD, "mechanism_param": _CBC_IV}
    try:
        answer, back = key.encrypt(_CBC_TEXT, **parameters), key.decrypt(_CBC_ANSWER, **parameters)
    finally:
        key.destroy()
    if answer != _CBC_ANSWER or back != _CBC_TEXT:
        raise ModuleRefused("cannot use the module: its AES-CBC gives a wrong answer")


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
        for mechanism in (one for one in _KWP_MECHANISMS if one in offered):
            try:
                if kek.wrap_key(key, mechanism=mechanism) == _KWP_ANSWER:
                    return mechanism
            except PKCS11Error as error:
                if not inability(error):
                    raise
    finally:
        key.destroy()
        kek.destroy()
    raise ModuleRefused("cannot use the module: its key wrapping is not that of RFC 5649")
