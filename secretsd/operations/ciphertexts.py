"""How ciphertexts of the API are made and opened, shared by every operation that does either."""

from collections.abc import Mapping
from dataclasses import dataclass

from secretsd.api.cryptography import OfCiphertext
from secretsd.api.fields import BinaryValue
from secretsd.domain.algorithms import EncryptionAlgorithm, encryption_algorithms
from secretsd.domain.envelope import CiphertextHeader, Purpose
from secretsd.domain.errors import InvalidCiphertext, InvalidRequest, NotFound
from secretsd.domain.key_specs import SPECS, KeyUsage
from secretsd.domain.keys import CMK, WrappedKey
from secretsd.domain.sensitive import Plaintext
from secretsd.operations import public_keys
from secretsd.operations.call import Call
from secretsd.operations.key_use import algorithm_of, current_version, usable_key
from secretsd.ports.keystore import KeyUse

API_PURPOSES = frozenset({Purpose.API_CIPHERTEXT, Purpose.API_DATA_KEY})
"""What callers may make and open; a ciphertext for any other purpose is none to them (SECURITY 3)."""


@dataclass(frozen=True, slots=True)
class Made:
    """A ciphertext, and by which key version and how it was made."""

    key: WrappedKey
    algorithm: EncryptionAlgorithm
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """A plaintext, and by which key version, how and for what it was encrypted."""

    key: WrappedKey
    algorithm: EncryptionAlgorithm
    purpose: Purpose
    plaintext: BinaryValue


async def make(
    call: Call,
    key_id: str,
    name: str | None,
    plaintext: Plaintext,
    context: Mapping[str, str],
    purpose: Purpose = Purpose.API_CIPHERTEXT,
) -> Made:
    """Encrypt under the key's current version; the right to that is asked by whoever calls this."""
    key = await usable_key(call, key_id, KeyUsage.ENCRYPT_DECRYPT)
    algorithm = algorithm_of(key, name, encryption_algorithms(key.spec))
    version = await current_version(call, key)
    if not SPECS[key.spec].asymmetric:
        use = KeyUse(key.account, purpose, call.request_name)
        return Made(version, algorithm, await call.parts.keystore.encrypt(version, use, plaintext, context))
    _require_no_context(key, context)
    # What nobody could ever open is not made.
    await call.parts.keystore.require_able(algorithm)
    if algorithm is EncryptionAlgorithm.SM2PKE:
        return Made(version, algorithm, call.parts.keystore.sm2.encrypt(version.public_key, plaintext))
    return Made(version, algorithm, public_keys.encrypt(version.public_key, algorithm, plaintext))


async def opened(
    call: Call,
    request: OfCiphertext,
    context: Mapping[str, str],
    name: str | None,
    purposes: frozenset[Purpose] = API_PURPOSES,
) -> Opened:
    """Decrypt; the pipeline has asked the right to that on the key that is given, or that the ciphertext names.

    Whoever has that right hears of the key's state. All else is InvalidCiphertext: bytes that were changed, another
    context, a key or version that is unknown or another account's, and what was never made for callers.
    """
    key = None
    if request.key is not None:
        key = await usable_key(call, request.key, KeyUsage.ENCRYPT_DECRYPT)
        if SPECS[key.spec].asymmetric:
            return await _opened_by_private_key(call, key, request.ciphertext, context, name)
    header, _, _ = CiphertextHeader.split(request.ciphertext)
    if header.purpose not in purposes or (key is not None and header.key_id != key.id):
        raise InvalidCiphertext
    try:
        # Whose the key is was looked up before the right to it was asked.
        key = key or await usable_key(call, str(call.resource), KeyUsage.ENCRYPT_DECRYPT)
        if SPECS[key.spec].asymmetric:
            raise InvalidCiphertext
        version = await call.parts.rows.key_version(key.account, key.id, header.key_version)
    except NotFound:
        raise InvalidCiphertext from None
    version.require_live()
    call.fields["key_version"] = version.version
    algorithm = algorithm_of(key, name, encryption_algorithms(key.spec))
    use = KeyUse(key.account, header.purpose, call.request_name)
    plaintext = await call.parts.keystore.decrypt(version, use, request.ciphertext, context)
    return Opened(version, algorithm, header.purpose, BinaryValue(plaintext.reveal()))


async def _opened_by_private_key(
    call: Call, key: CMK, ciphertext: bytes, context: Mapping[str, str], name: str | None
) -> Opened:
    _require_no_context(key, context)
    algorithm = algorithm_of(key, name, encryption_algorithms(key.spec))
    version = await current_version(call, key)
    purpose = Purpose.API_CIPHERTEXT
    use = KeyUse(key.account, purpose, call.request_name)
    plaintext = await call.parts.keystore.decrypt_asymmetric(version, use, algorithm, ciphertext)
    return Opened(version, algorithm, purpose, BinaryValue(plaintext.reveal()))


def _require_no_context(key: CMK, context: Mapping[str, str]) -> None:
    if context:
        raise InvalidRequest(
            f"cannot bind an encryption context: ciphertexts of a key of spec {key.spec.value} have none"
        )
