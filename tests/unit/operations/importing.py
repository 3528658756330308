"""What tests of imports share: a key that waits for its material, its customer, and what a refusal leaves behind."""

from typing import Any

import pytest

from secretsd.api.fields import BinaryValue
from secretsd.domain.key_import import WrappingAlgorithm
from secretsd.testing.customer import wrap

House = Any  # the fixture `house`
ONE_STEP, TWO_STEPS = "RSAES_OAEP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"
TEXT = BinaryValue(b"correct horse battery staple")
DAY_MS = 24 * 3600 * 1000


async def external(house: House, spec: str = "AES_256", **fields: Any) -> str:
    """A key that waits for its material."""
    made = await house.call("CreateKey", spec=spec, origin="EXTERNAL", **fields)
    assert (made.state, made.origin) == ("pending-import", "EXTERNAL")
    return str(made.id)


async def parameters(house: House, key: str, algorithm: str = TWO_STEPS, **fields: Any) -> Any:
    return await house.call("GetParametersForImport", key=key, wrapping_algorithm=algorithm, **fields)


def wrapped(told: Any, material: bytes) -> bytes:
    return wrap(told.public_key, WrappingAlgorithm(told.wrapping_algorithm), material)


async def bring(house: House, key: str, material: bytes, told: Any = None, **fields: Any) -> Any:
    """Import the material, under parameters of its own unless they are given."""
    told = told or await parameters(house, key)
    sealed = fields.pop("encrypted_material", None) or wrapped(told, material)
    return await house.call(
        "ImportKeyMaterial", key=key, import_token=told.import_token, encrypted_material=sealed, **fields
    )


async def refused(house: House, tools: Any, kind: str, about: Any) -> str:
    """What is told to whoever is refused; it leaves one event with that outcome and nothing else."""
    events = len(await house.events())
    with pytest.raises(tools.Failed, match=rf"^{kind}$") as failed:
        await about
    assert failed.value.error.message.startswith("cannot ")
    found = await house.events(failed.value.request_id)
    assert [event["outcome"] for event in found] == [kind]
    assert "changes" not in found[0]
    assert len(await house.events()) == events + 1
    return str(failed.value.error.message)


async def rows(house: House, key: str) -> tuple[Any, Any]:
    stored = await house.storage.keys.get(house.account, key)
    return stored, await house.storage.keys.version(house.account, key, stored.current_version)
