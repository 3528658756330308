"""More keys than are held at once: what that costs in memory, in writes, and in answers that grow with their number."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from secretsd.adapters.keystore_process import messages
from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.domain.algorithms import EncryptionAlgorithm
from secretsd.domain.errors import Unsupported
from secretsd.domain.key_specs import KeySpec
from secretsd.testing.keystore_suite import CONTEXT, TEXT, USE, metadata
from secretsd.testing.softhsm import SoftHSM

from .keys_in_process import CYCLES, HELD, OBJECTS_A_CYCLE

pytestmark = pytest.mark.integration
PROGRAM = Path(__file__).with_name("keys_in_process.py")
# What SoftHSM 2.6.1 keeps of a destroyed object is some 250 bytes.
KEPT_BYTES = 100


def measured(token: SoftHSM, place: Path, what: str) -> dict[str, Any]:
    """What the program has found."""
    access = [token.module, token.token_label, token.pin, dict(token.environment)]
    asked = {"token": access, "directory": str(place), "measure": what}
    finished = subprocess.run(
        [sys.executable, str(PROGRAM)], input=json.dumps(asked), capture_output=True, text=True, check=False, timeout=60
    )
    assert finished.returncode == 0, finished.stderr
    found: dict[str, Any] = json.loads(finished.stdout)
    return found


def test_what_the_module_keeps_of_destroyed_objects_does_not_add_up(tmp_path: Path) -> None:
    found = measured(SoftHSM.create(tmp_path / "token"), tmp_path, "objects")
    assert found["right"] == CYCLES * OBJECTS_A_CYCLE
    assert found["recoveries"] == 0, "keeping the memory small is no failure"
    settled, last = found["heap"][1], found["heap"][-1]
    assert last - settled < (CYCLES - 2) * OBJECTS_A_CYCLE * KEPT_BYTES


def test_the_first_uses_of_many_keys_share_one_write(tmp_path: Path) -> None:
    found = measured(SoftHSM.create(tmp_path / "token"), tmp_path, "counts")
    assert (found["before"], found["while"]) == (1, 0)
    assert found["answers"] == ["Done"] * 2 * HELD + ["Failed", "KeyUnknown"]
    # Each load makes a known answer, and every second key has made its text before.
    assert found["uses"] == [4, 2] * (HELD // 2)
    assert not found["forged in the file"], "a name that a worker made up reached the file"


async def test_what_the_module_is_able_to_is_told_without_telling_of_every_key(
    keystore: ProcessKeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    decode = messages.decode_answers

    def counted(body: bytes) -> Any:
        sizes.append(len(body))
        return decode(body)

    keys = await asyncio.gather(*(keystore.generate_key(metadata()) for _ in range(50)))
    await asyncio.gather(*(keystore.encrypt(key, USE, TEXT, CONTEXT) for key in keys))
    monkeypatch.setattr(messages, "decode_answers", counted)
    await keystore.require_able(KeySpec.AES_256)
    with pytest.raises(Unsupported, match=r"^cannot encrypt by RSAES_OAEP_SHA_256: this HSM offers no RSA-OAEP"):
        await keystore.require_able(EncryptionAlgorithm.RSAES_OAEP_SHA_256)
    assert max(sizes) < 200
    await keystore.status()
    assert max(sizes) > 50 * 36, "a status does tell of every key"
