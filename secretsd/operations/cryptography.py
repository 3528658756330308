"""Operations that encrypt, decrypt and re-encrypt with CMKs, and random bytes."""

from secretsd.api.cryptography import (
    DecryptRequest,
    DecryptResponse,
    EncryptRequest,
    EncryptResponse,
    GenerateRandomRequest,
    GenerateRandomResponse,
    ReEncryptRequest,
    ReEncryptResponse,
)
from secretsd.api.fields import BinaryValue
from secretsd.api.keys import OfKey
from secretsd.domain.names import Resource
from secretsd.operations import ciphertexts
from secretsd.operations.call import Call
from secretsd.operations.key_references import key_id_of
from secretsd.operations.registry import operation


@operation("Encrypt", "POST /v1/keys/{key}:encrypt", audited=("algorithm",))
async def encrypt(call: Call, request: EncryptRequest) -> EncryptResponse:
    """Encrypt up to 6 KiB under a CMK, bound to an encryption context."""
    made = await ciphertexts.make(call, request.key, request.algorithm, request.plaintext, request.context)
    return EncryptResponse(
        key_id=made.key.key_id,
        key_version=made.key.version,
        algorithm=made.algorithm.value,
        ciphertext=made.ciphertext,
    )


@operation("Decrypt", "POST /v1/ciphertexts:decrypt", audited=("key", "algorithm"))
async def decrypt(call: Call, request: DecryptRequest) -> DecryptResponse:
    """Decrypt a ciphertext under the key that it names, or under the RSA or SM2 key that is given."""
    opened = await ciphertexts.opened(call, request, request.context, request.algorithm)
    return DecryptResponse(
        key_id=opened.key.key_id,
        key_version=opened.key.version,
        algorithm=opened.algorithm.value,
        plaintext=opened.plaintext,
    )


@operation(
    "ReEncrypt",
    "POST /v1/ciphertexts:re-encrypt",
    audited=("key", "algorithm", "destination_key", "destination_algorithm"),
)
async def re_encrypt(call: Call, request: ReEncryptRequest) -> ReEncryptResponse:
    """Bring a ciphertext under another key, key version or context, without showing its plaintext to anybody.

    Needs ReEncryptFrom on the key that it is under, and ReEncryptTo on the other one and the new context.
    """
    await call.require("ReEncryptFrom", call.resource)
    found = await key_id_of(call.parts.rows, call.account, request.destination_key)
    destination = OfKey(key=found or request.destination_key)
    # What conditions say of the encryption context is meant of the one that is bound there.
    resource = Resource(destination.resource_account or call.account, destination.resource_path)
    into = EncryptRequest(key=destination.key, plaintext=BinaryValue(b""), context=request.destination_context)
    await call.require("ReEncryptTo", resource, into)
    opened = await ciphertexts.opened(call, request, request.context, request.algorithm)
    call.fields["source_key_version"] = opened.key.version
    made = await ciphertexts.make(
        call,
        destination.key,
        request.destination_algorithm,
        opened.plaintext,
        request.destination_context,
        opened.purpose,
    )
    call.fields["destination"] = made.key.key_id
    return ReEncryptResponse(
        source_key_id=opened.key.key_id,
        source_key_version=opened.key.version,
        key_id=made.key.key_id,
        key_version=made.key.version,
        algorithm=made.algorithm.value,
        ciphertext=made.ciphertext,
    )


@operation("GenerateRandom", "POST /v1/random", audited=("number_of_bytes",))
async def generate_random(call: Call, request: GenerateRandomRequest) -> GenerateRandomResponse:
    """Make random bytes in the HSM; they are stored nowhere."""
    drawn = await call.parts.keystore.random(request.number_of_bytes)
    return GenerateRandomResponse(plaintext=BinaryValue(drawn.reveal()))
