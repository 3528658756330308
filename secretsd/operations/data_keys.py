"""Operations that make data keys and key pairs under CMKs, and bring data keys under a caller's public key."""

from secretsd.api.data_keys import (
    ExportDataKeyRequest,
    ExportDataKeyResponse,
    GenerateAndExportDataKeyRequest,
    GenerateAndExportDataKeyResponse,
    GenerateDataKeyPairRequest,
    GenerateDataKeyPairResponse,
    GenerateDataKeyPairWithoutPlaintextRequest,
    GenerateDataKeyPairWithoutPlaintextResponse,
    GenerateDataKeyRequest,
    GenerateDataKeyResponse,
    GenerateDataKeyWithoutPlaintextRequest,
    GenerateDataKeyWithoutPlaintextResponse,
    OfDataKey,
    OfDataKeyPair,
)
from secretsd.api.fields import BinaryValue
from secretsd.domain.algorithms import EncryptionAlgorithm
from secretsd.domain.envelope import Purpose
from secretsd.domain.errors import InvalidKeyUsage, InvalidRequest
from secretsd.domain.key_specs import SPECS, KeySpec, KeyUsage
from secretsd.domain.keys import CMK, WrappedKey
from secretsd.domain.sensitive import Plaintext
from secretsd.operations import ciphertexts, public_keys
from secretsd.operations.call import Call
from secretsd.operations.key_pairs import KeyPair
from secretsd.operations.key_use import current_version, usable_key
from secretsd.operations.registry import operation
from secretsd.ports.keystore import KeyUse

_SIZES = {"AES_256": 32, "AES_128": 16}
_DATA_KEYS = frozenset({Purpose.API_DATA_KEY})


@operation("GenerateDataKey", "POST /v1/keys/{key}:generate-data-key", audited=("spec", "number_of_bytes"))
async def generate_data_key(call: Call, request: GenerateDataKeyRequest) -> GenerateDataKeyResponse:
    """Make a data key: in clear, and encrypted under a CMK."""
    version, data_key, ciphertext = await _data_key(call, request)
    return GenerateDataKeyResponse(
        key_id=version.key_id,
        key_version=version.version,
        plaintext=BinaryValue(data_key.reveal()),
        ciphertext=ciphertext,
    )


@operation(
    "GenerateDataKeyWithoutPlaintext",
    "POST /v1/keys/{key}:generate-data-key-without-plaintext",
    audited=("spec", "number_of_bytes"),
)
async def generate_data_key_without_plaintext(
    call: Call, request: GenerateDataKeyWithoutPlaintextRequest
) -> GenerateDataKeyWithoutPlaintextResponse:
    """Make a data key that is encrypted under a CMK, and show it to nobody yet."""
    version, _, ciphertext = await _data_key(call, request)
    return GenerateDataKeyWithoutPlaintextResponse(
        key_id=version.key_id, key_version=version.version, ciphertext=ciphertext
    )


@operation("GenerateDataKeyPair", "POST /v1/keys/{key}:generate-data-key-pair", audited=("key_pair_spec",))
async def generate_data_key_pair(call: Call, request: GenerateDataKeyPairRequest) -> GenerateDataKeyPairResponse:
    """Make a key pair: the private key in clear, and encrypted under a CMK."""
    version, pair, ciphertext = await _key_pair(call, request)
    return GenerateDataKeyPairResponse(
        key_id=version.key_id,
        key_version=version.version,
        key_pair_spec=request.key_pair_spec,
        public_key=pair.public_key,
        private_key_plaintext=BinaryValue(pair.private_key.reveal()),
        private_key_ciphertext=ciphertext,
    )


@operation(
    "GenerateDataKeyPairWithoutPlaintext",
    "POST /v1/keys/{key}:generate-data-key-pair-without-plaintext",
    audited=("key_pair_spec",),
)
async def generate_data_key_pair_without_plaintext(
    call: Call, request: GenerateDataKeyPairWithoutPlaintextRequest
) -> GenerateDataKeyPairWithoutPlaintextResponse:
    """Make a key pair whose private key is encrypted under a CMK and shown to nobody yet."""
    version, pair, ciphertext = await _key_pair(call, request)
    return GenerateDataKeyPairWithoutPlaintextResponse(
        key_id=version.key_id,
        key_version=version.version,
        key_pair_spec=request.key_pair_spec,
        public_key=pair.public_key,
        private_key_ciphertext=ciphertext,
    )


@operation("ExportDataKey", "POST /v1/ciphertexts:export-data-key", audited=("key", "wrapping_algorithm"))
async def export_data_key(call: Call, request: ExportDataKeyRequest) -> ExportDataKeyResponse:
    """Encrypt a data key anew under a caller's RSA key, for the holder of its private half."""
    wrapping = public_keys.caller_key(request.public_key)
    opened = await ciphertexts.opened(call, request, request.context, None, _DATA_KEYS)
    exported = public_keys.encrypt(wrapping, EncryptionAlgorithm(request.wrapping_algorithm), opened.plaintext)
    return ExportDataKeyResponse(key_id=opened.key.key_id, key_version=opened.key.version, exported_data_key=exported)


@operation(
    "GenerateAndExportDataKey",
    "POST /v1/keys/{key}:generate-and-export-data-key",
    audited=("spec", "number_of_bytes", "wrapping_algorithm"),
)
async def generate_and_export_data_key(
    call: Call, request: GenerateAndExportDataKeyRequest
) -> GenerateAndExportDataKeyResponse:
    """Make a data key that is encrypted under a CMK and under a caller's RSA key."""
    wrapping = public_keys.caller_key(request.public_key)
    version, data_key, ciphertext = await _data_key(call, request)
    exported = public_keys.encrypt(wrapping, EncryptionAlgorithm(request.wrapping_algorithm), data_key)
    return GenerateAndExportDataKeyResponse(
        key_id=version.key_id, key_version=version.version, ciphertext=ciphertext, exported_data_key=exported
    )


async def _data_key(call: Call, request: OfDataKey) -> tuple[WrappedKey, Plaintext, bytes]:
    if request.spec is not None and request.number_of_bytes is not None:
        raise InvalidRequest("cannot make the data key: give its spec or its number of bytes, not both")
    size = request.number_of_bytes or _SIZES[request.spec or "AES_256"]
    version = await current_version(call, await _symmetric_key(call, request.key))
    use = KeyUse(version.account, Purpose.API_DATA_KEY, call.request_name)
    data_key, ciphertext = await call.parts.keystore.generate_data_key(version, use, request.context, size)
    return version, data_key, ciphertext


async def _key_pair(call: Call, request: OfDataKeyPair) -> tuple[WrappedKey, KeyPair, bytes]:
    await _symmetric_key(call, request.key)
    pair = await call.parts.key_pairs.make(call.account, KeySpec(request.key_pair_spec))
    # Looked at again: to make an RSA key may have taken seconds.
    version = await current_version(call, await _symmetric_key(call, request.key))
    use = KeyUse(version.account, Purpose.API_DATA_KEY, call.request_name)
    ciphertext = await call.parts.keystore.encrypt(version, use, pair.private_key, request.context)
    return version, pair, ciphertext


async def _symmetric_key(call: Call, reference: str) -> CMK:
    key = await usable_key(call, reference, KeyUsage.ENCRYPT_DECRYPT)
    if SPECS[key.spec].asymmetric:
        raise InvalidKeyUsage(f"cannot make a data key under key {key.id}: its spec is {key.spec.value}")
    return key
