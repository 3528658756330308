"""What the module lacks is refused with the reason, before it is asked: its refusal could pass for a broken token."""

import dataclasses
import hashlib
from collections.abc import AsyncIterator, Callable

import pytest

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.domain.algorithms import SigningAlgorithm
from secretsd.domain.errors import Unsupported
from secretsd.domain.key_specs import KeySpec
from secretsd.testing.keystore_suite import USE, metadata
from secretsd.testing.softhsm import KeyStoreProcess

from .conftest import Shim, without
from .kinds_at_work import AtWork

pytestmark = pytest.mark.integration
RSA_KEYS, PSS, OAEP, CURVES, EDDSA, HMAC_384 = 0x0, 0xD, 0x9, 0x1040, 0x1057, 0x261


@pytest.fixture
async def lacking(process: KeyStoreProcess, shim: Shim) -> AsyncIterator[Callable[..., ProcessKeyStore]]:
    """A key store whose module has neither these mechanisms nor ever had them."""
    made: list[ProcessKeyStore] = []

    def restarted(*mechanisms: int) -> ProcessKeyStore:
        shim.fail(*without(*mechanisms))
        process.restart()
        made.append(ProcessKeyStore(process.path, deadline_seconds=30))
        return made[-1]

    yield restarted
    for keystore in made:
        await keystore.close()
    shim.fail()
    process.restart()


@pytest.mark.parametrize(
    ("mechanism", "spec", "reason"),
    [
        (RSA_KEYS, KeySpec.RSA_2048, "this HSM makes no RSA keys of 2048 bits"),
        (RSA_KEYS, KeySpec.RSA_4096, "this HSM makes no RSA keys of 4096 bits"),
        (CURVES, KeySpec.ECC_NIST_P256, "this HSM offers no ECC_NIST_P256"),
        (CURVES, KeySpec.ECC_SECG_P256K1, "this HSM offers no ECC_SECG_P256K1"),
        (EDDSA, KeySpec.ECC_NIST_EDWARDS25519, "this HSM offers no ECC_NIST_EDWARDS25519"),
        (HMAC_384, KeySpec.HMAC_384, "this HSM offers no HMAC_384"),
    ],
)
async def test_a_spec_is_refused_with_the_reason_and_never_half_made(
    lacking: Callable[..., ProcessKeyStore],
    process: KeyStoreProcess,
    shim: Shim,
    mechanism: int,
    spec: KeySpec,
    reason: str,
) -> None:
    keystore = lacking(mechanism)
    objects, logins = len(list(process.token.directory.glob("tokens/*/*.object"))), shim.logins()
    with pytest.raises(Unsupported, match=reason):
        await keystore.require_able(spec)
    with pytest.raises(Unsupported, match=reason):
        await keystore.generate_key(dataclasses.replace(metadata(), spec=spec))
    await (await AtWork.make(keystore, "aes")).use(keystore)
    assert len(list(process.token.directory.glob("tokens/*/*.object"))) == objects
    assert shim.logins() == logins, "the refusal cost a login"


async def test_an_algorithm_that_is_missing_costs_nobody_the_token(
    lacking: Callable[..., ProcessKeyStore], shim: Shim
) -> None:
    keystore = lacking(PSS)
    signs = await AtWork.make(keystore, "rsa that signs")
    await signs.use(keystore)
    logins = shim.logins()
    digest = hashlib.sha384(b"message").digest()
    for _ in range(5):
        with pytest.raises(Unsupported, match="cannot do RSASSA_PSS_SHA_384: this HSM offers no RSASSA_PSS_SHA_384"):
            await keystore.sign(signs.key, USE, SigningAlgorithm.RSASSA_PSS_SHA_384, digest)
        await signs.use(keystore)
    assert shim.logins() == logins


async def test_without_oaep_rsa_keys_sign_and_do_not_decrypt(lacking: Callable[..., ProcessKeyStore]) -> None:
    keystore = lacking(OAEP)
    await (await AtWork.make(keystore, "rsa that signs")).use(keystore)
    inabilities = (await keystore.status()).inabilities
    assert "offers no RSA-OAEP-SHA-1" in inabilities["RSAES_OAEP_SHA_1"]
    decrypts = await AtWork.make(keystore, "rsa that decrypts")
    with pytest.raises(Unsupported):
        await decrypts.use(keystore)
