"""The AWS Encryption SDK's own package, with data keys of ours: the other reader and writer of the format."""

from collections.abc import Callable, Mapping

from aws_encryption_sdk import EncryptionSDKClient
from aws_encryption_sdk.exceptions import DecryptKeyError
from aws_encryption_sdk.identifiers import Algorithm
from aws_encryption_sdk.key_providers.base import (
    MasterKey,
    MasterKeyConfig,
    MasterKeyProvider,
    MasterKeyProviderConfig,
)
from aws_encryption_sdk.structures import DataKey, EncryptedDataKey, RawDataKey

from secretsd.domain.errors import SecretsdError

Context = Mapping[str, str]
SUITE = Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY
PROVIDER = "secretsd"


class _Config(MasterKeyConfig):  # type: ignore[misc]  # the package has no types
    provider_id = PROVIDER


class SecretsdMasterKey(MasterKey):  # type: ignore[misc]  # the package has no types
    """One CMK of the daemon, as the package wants a key to be."""

    provider_id = PROVIDER
    _config_class = _Config

    def __new__(cls, *, key_id: bytes, daemon: "Secretsd") -> "SecretsdMasterKey":
        found = super().__new__(cls, key_id=key_id)
        found.daemon = daemon
        return found

    def __init__(self, *, key_id: bytes, daemon: "Secretsd") -> None:
        """All is done in __new__, as the package has it."""

    def _generate_data_key(self, algorithm: Algorithm, encryption_context: Context) -> DataKey:
        plaintext, ciphertext = self.daemon.generate(encryption_context)
        return DataKey(key_provider=self.key_provider, data_key=plaintext, encrypted_data_key=ciphertext)

    def _encrypt_data_key(self, data_key: RawDataKey, algorithm: Algorithm, encryption_context: Context) -> None:
        raise NotImplementedError("a message of these tests has one key")

    def _decrypt_data_key(
        self, encrypted_data_key: EncryptedDataKey, algorithm: Algorithm, encryption_context: Context
    ) -> DataKey:
        try:
            plaintext = self.daemon.decrypt(encrypted_data_key.encrypted_data_key, encryption_context)
        except SecretsdError as error:
            raise DecryptKeyError("the daemon refused") from error
        return DataKey(
            key_provider=self.key_provider,
            data_key=plaintext,
            encrypted_data_key=encrypted_data_key.encrypted_data_key,
        )


class Secretsd(MasterKeyProvider):  # type: ignore[misc]  # the package has no types
    """The daemon as a provider of keys: how data keys are made and opened is the caller's."""

    provider_id = PROVIDER
    _config_class = MasterKeyProviderConfig

    def __new__(cls, *arguments: object) -> "Secretsd":
        return super().__new__(cls)

    def __init__(
        self,
        key_id: str,
        generate: Callable[[Context], tuple[bytes, bytes]],
        decrypt: Callable[[bytes, Context], bytes],
    ) -> None:
        self.generate = generate
        self.decrypt = decrypt
        self.add_master_key(key_id)

    def _new_master_key(self, key_id: bytes) -> SecretsdMasterKey:
        return SecretsdMasterKey(key_id=key_id, daemon=self)


def encrypt(provider: Secretsd, data: bytes, context: Context, frame_bytes: int = 4096) -> bytes:
    """A message that the package has written."""
    message, _ = EncryptionSDKClient().encrypt(
        source=data,
        key_provider=provider,
        encryption_context=dict(context),
        frame_length=frame_bytes,
        algorithm=SUITE,
    )
    return message


def decrypt(provider: Secretsd, message: bytes) -> tuple[bytes, Context]:
    """What the package reads in a message: plaintext and encryption context."""
    plaintext, header = EncryptionSDKClient().decrypt(source=message, key_provider=provider)
    return plaintext, header.encryption_context
