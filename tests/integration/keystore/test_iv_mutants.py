"""The IV hunt's ledger over a real keystore process that is killed and ended: sound ones pass, mutants are noticed."""

import asyncio
import sys
from pathlib import Path

import pytest

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.adapters.keystore_process.data_directory import USES
from secretsd.domain.keys import WrappedKey
from secretsd.domain.sensitive import Plaintext
from secretsd.testing import softhsm
from secretsd.testing.iv_hunt.counts import CountsWatch
from secretsd.testing.iv_hunt.ledger import Ledger
from secretsd.testing.keystore_suite import CONTEXT, USE, metadata
from secretsd.testing.softhsm import KeyStoreProcess, SoftHSM

from .iv_mutants import MUTANTS, NONE, Mutant

pytestmark = pytest.mark.integration

CALLS = 400


async def encrypt(keystore: ProcessKeyStore, keys: list[WrappedKey], ledger: Ledger) -> None:
    calls = [keystore.encrypt(keys[number % 2], USE, Plaintext(b"text"), CONTEXT) for number in range(CALLS)]
    for made in await asyncio.gather(*calls):
        ledger.ciphertext(made)


async def hunt(directory: Path, mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the ledger found in four lives of a process: two end by a kill, one in order, one with its counts lost."""
    token = SoftHSM.create(directory)
    monkeypatch.setattr(softhsm, "COMMAND", (sys.executable, "-I", "-c", mutant.program))
    ledger = Ledger()
    watch = CountsWatch(token.data_dir / USES, ledger.counted)
    ledger.look = watch.look
    with KeyStoreProcess(token) as process:
        keystore = ProcessKeyStore(process.path, deadline_seconds=20.0)
        keys = [await keystore.generate_key(metadata()) for _ in range(2)]
        for life in range(4):
            watch.look()
            await encrypt(keystore, keys, ledger)
            watch.look()
            if life == 1:
                ledger.ending_in_order(True)
                assert process.stop() == 0
                watch.look()
                process.start()
                watch.look()
                ledger.ending_in_order(False)
            else:
                process.kill()
                watch.look()
                if life == 2:
                    ledger.tampered()
                    watch.replace(Path.unlink)
                process.start()
        ledger.look_at_all()
        await keystore.close()
    return ledger.findings


async def test_a_sound_process_gives_no_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await hunt(tmp_path / "token", NONE, monkeypatch) == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
async def test_every_mutant_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mutant: Mutant) -> None:
    findings = await hunt(tmp_path / "token", mutant, monkeypatch)
    assert any(mutant.noticed in one for one in findings), findings[:5]
