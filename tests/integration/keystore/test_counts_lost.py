"""Counts of uses that are lost after so many that every key may be used up: nothing is encrypted, all is decrypted."""

import hashlib
from pathlib import Path

import pytest

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.domain.errors import InvalidState
from secretsd.testing.keystore_suite import CONTEXT, TEXT, USE, metadata
from secretsd.testing.softhsm import KeyStoreProcess, SoftHSM

pytestmark = pytest.mark.integration


async def test_access_is_not_lost_with_the_counts(tmp_path: Path) -> None:
    token = SoftHSM.create(tmp_path / "token")
    with KeyStoreProcess(token) as process:
        keystore = ProcessKeyStore(process.path, deadline_seconds=20.0)
        key = await keystore.generate_key(metadata())
        sealed = await keystore.encrypt(key, USE, TEXT, CONTEXT)
        storage_key = await keystore.storage_key()
        await keystore.close()
        process.kill()
        ticket = (2**32 + 5).to_bytes(8)
        record = ticket + hashlib.blake2b(ticket, digest_size=8).digest()
        (token.data_dir / "key-uses-mark").write_bytes(record * 2)
        (token.data_dir / "key-uses").unlink()
        process.start()
        keystore = ProcessKeyStore(process.path, deadline_seconds=20.0)
        with pytest.raises(InvalidState, match="used up"):
            await keystore.encrypt(key, USE, TEXT, CONTEXT)
        assert await keystore.decrypt(key, USE, sealed, CONTEXT) == TEXT
        assert await keystore.storage_key() == storage_key
        fresh = await keystore.generate_key(metadata())
        assert await keystore.encrypt(fresh, USE, TEXT, CONTEXT)
        await keystore.close()
