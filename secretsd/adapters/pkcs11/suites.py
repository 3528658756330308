"""The suites of `domain/envelope.py` that keys of a module can have: sizes, how each seals and opens, known answers."""

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from secretsd.adapters.pkcs11 import cbc_hmac, symmetric
from secretsd.adapters.pkcs11.loaded_keys import KnownAnswer
from secretsd.adapters.sm import sm4
from secretsd.domain.envelope import (
    CBC_IV_BYTES,
    GCM_SUITES,
    IV_BYTES,
    MAC_TAG_BYTES,
    SUITE_AES_128_GCM,
    SUITE_AES_192_GCM,
    SUITE_AES_256_CBC_HMAC,
    SUITE_AES_256_GCM,
    SUITE_NONE,
    SUITE_SM4_GCM,
    TAG_BYTES,
)
from secretsd.domain.key_specs import KeySpec

_TEXT = b"the known answer of a loaded key"
# No ciphertext can be taken for it: additional data of real ones start with the version byte 1.
_BOUND = b"secretsd known answer"


@dataclass(frozen=True, slots=True)
class Suite:
    """One suite. `seal(key, iv, bound, text)` makes ciphertext ‖ tag, `unseal(key, iv, bound, encrypted)` the text."""

    name: str
    iv_bytes: int
    tag_bytes: int
    seal: Callable[[Any, bytes, bytes, bytes], bytes]
    unseal: Callable[[Any, bytes, bytes, bytes], bytes]

    def known_answer(self, key: Any) -> KnownAnswer:
        """A ciphertext of a known text, made by that very key; PKCS11Error."""
        iv = os.urandom(self.iv_bytes)
        answer = self.seal(key, iv, _BOUND, _TEXT)
        return lambda: self.unseal(key, iv, _BOUND, answer) == _TEXT


def _gcm(bits: int) -> Suite:
    return Suite(f"AES-{bits}-GCM", IV_BYTES, TAG_BYTES, symmetric.seal, symmetric.unseal)


SUITES: dict[int, Suite] = {
    SUITE_AES_256_GCM: _gcm(256),
    SUITE_AES_256_CBC_HMAC: Suite(
        "AES-256-CBC-HMAC-SHA-256", CBC_IV_BYTES, MAC_TAG_BYTES, cbc_hmac.seal, cbc_hmac.unseal
    ),
    SUITE_AES_192_GCM: _gcm(192),
    SUITE_AES_128_GCM: _gcm(128),
    SUITE_SM4_GCM: Suite("SM4-GCM", IV_BYTES, TAG_BYTES, sm4.seal, sm4.unseal),
}
GCM = frozenset({SUITE_AES_256_GCM, SUITE_AES_192_GCM, SUITE_AES_128_GCM})
SOFTWARE = frozenset({SUITE_SM4_GCM})
"""Suites of keys that are used in memory: no module has them."""


def suite_of_new_keys(spec: KeySpec, able: Collection[int]) -> int:
    """The suite that a new key of the spec gets where the module has those suites; SUITE_NONE where there is none."""
    wanted = GCM_SUITES.get(spec, SUITE_NONE)
    if wanted not in GCM or wanted in able:
        return wanted
    if spec is KeySpec.AES_256 and SUITE_AES_256_CBC_HMAC in able:
        return SUITE_AES_256_CBC_HMAC
    return SUITE_NONE
