"""Operations that sign and verify, and that make and check MACs."""

import hashlib
import hmac

from secretsd.api.signatures import (
    GenerateMacRequest,
    GenerateMacResponse,
    OfMessage,
    SignRequest,
    SignResponse,
    VerifyMacRequest,
    VerifyMacResponse,
    VerifyRequest,
    VerifyResponse,
)
from secretsd.domain.algorithms import (
    MAX_MESSAGE_BYTES,
    MacAlgorithm,
    MessageType,
    SigningAlgorithm,
    digest_bytes,
    hash_of,
    mac_algorithms,
    signing_algorithms,
)
from secretsd.domain.envelope import Purpose
from secretsd.domain.errors import InvalidRequest, LimitExceeded
from secretsd.domain.key_specs import KeyUsage
from secretsd.domain.keys import WrappedKey
from secretsd.domain.sensitive import Plaintext
from secretsd.operations import public_keys
from secretsd.operations.call import Call
from secretsd.operations.key_use import algorithm_of, current_version, usable_key
from secretsd.operations.registry import operation
from secretsd.ports.keystore import KeyUse


@operation("Sign", "POST /v1/keys/{key}:sign", audited=("message_type", "algorithm"))
async def sign(call: Call, request: SignRequest) -> SignResponse:
    """Sign a message or its digest with a CMK."""
    version, algorithm, signed = await _signed(call, request)
    use = KeyUse(version.account, Purpose.API_SIGNATURE, call.request_name)
    signature = await call.parts.keystore.sign(version, use, algorithm, signed)
    return SignResponse(
        key_id=version.key_id, key_version=version.version, algorithm=algorithm.value, signature=signature
    )


@operation("Verify", "POST /v1/keys/{key}:verify", audited=("message_type", "algorithm"))
async def verify(call: Call, request: VerifyRequest) -> VerifyResponse:
    """Tell whether a signature is a CMK's; the HSM is not asked for that."""
    version, algorithm, signed = await _signed(call, request)
    if algorithm is SigningAlgorithm.SM2DSA:
        valid = call.parts.keystore.sm2.verify(version.public_key, signed, request.signature)
    else:
        valid = public_keys.verify(version.public_key, algorithm, signed, request.signature)
    call.fields["valid"] = valid
    return VerifyResponse(key_id=version.key_id, key_version=version.version, algorithm=algorithm.value, valid=valid)


@operation("GenerateMac", "POST /v1/keys/{key}:generate-mac", audited=("algorithm",))
async def generate_mac(call: Call, request: GenerateMacRequest) -> GenerateMacResponse:
    """Compute the MAC of a message with a CMK."""
    version, algorithm, mac = await _mac(call, request.key, request.algorithm, request.message)
    return GenerateMacResponse(key_id=version.key_id, key_version=version.version, algorithm=algorithm.value, mac=mac)


@operation("VerifyMac", "POST /v1/keys/{key}:verify-mac", audited=("algorithm",))
async def verify_mac(call: Call, request: VerifyMacRequest) -> VerifyMacResponse:
    """Tell whether a MAC is a CMK's of a message, in time that does not depend on where they differ."""
    version, algorithm, mac = await _mac(call, request.key, request.algorithm, request.message)
    valid = hmac.compare_digest(mac, request.mac)
    call.fields["valid"] = valid
    return VerifyMacResponse(key_id=version.key_id, key_version=version.version, algorithm=algorithm.value, valid=valid)


async def _signed(call: Call, request: OfMessage) -> tuple[WrappedKey, SigningAlgorithm, bytes]:
    """The key version, the algorithm, and what is signed: a digest, or for Ed25519 the message."""
    key = await usable_key(call, request.key, KeyUsage.SIGN_VERIFY)
    algorithm = algorithm_of(key, request.algorithm, signing_algorithms(key.spec))
    message = request.message
    hashed = request.message_type == MessageType.DIGEST.value
    if hashed:
        _require_digest(algorithm, message)
    else:
        _require_short(message)
    version = await current_version(call, key)
    if hashed or digest_bytes(algorithm) is None:
        return version, algorithm, message.reveal()
    if algorithm is SigningAlgorithm.SM2DSA:
        return version, algorithm, call.parts.keystore.sm2.digest(version.public_key, message.reveal())
    return version, algorithm, hashlib.new(hash_of(algorithm), message.reveal()).digest()


async def _mac(call: Call, key_id: str, name: str | None, message: Plaintext) -> tuple[WrappedKey, MacAlgorithm, bytes]:
    key = await usable_key(call, key_id, KeyUsage.GENERATE_VERIFY_MAC)
    algorithm = algorithm_of(key, name, mac_algorithms(key.spec))
    _require_short(message)
    version = await current_version(call, key)
    use = KeyUse(version.account, Purpose.API_MAC, call.request_name)
    return version, algorithm, await call.parts.keystore.generate_mac(version, use, algorithm, message.reveal())


def _require_digest(algorithm: SigningAlgorithm, digest: Plaintext) -> None:
    size = digest_bytes(algorithm)
    if size is None:
        raise InvalidRequest(f"cannot take a digest for {algorithm.value}: it signs messages only")
    if len(digest) != size:
        raise InvalidRequest(f"cannot take the digest: one for {algorithm.value} has {size} bytes")


def _require_short(message: Plaintext) -> None:
    if len(message) > MAX_MESSAGE_BYTES:
        raise LimitExceeded(f"cannot take a message of more than {MAX_MESSAGE_BYTES} bytes: take its digest")
