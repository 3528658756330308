"""Peers that break the rules lose their own connection, and nobody else notices."""

import asyncio
import contextlib
import dataclasses
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secretsd.adapters import frames
from secretsd.adapters.keystore_process import messages as m
from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.adapters.pkcs11.key_rows import digest
from secretsd.domain.envelope import Purpose
from secretsd.domain.errors import Throttled
from secretsd.domain.sensitive import Plaintext
from secretsd.testing.keystore_suite import ACCOUNT, CONTEXT, TEXT, USE, metadata
from secretsd.testing.softhsm import KeyStoreProcess

pytestmark = pytest.mark.integration
DIGEST = bytes(32)


@contextlib.contextmanager
def connection(process: KeyStoreProcess) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(30)
        peer.connect(str(process.path))
        yield peer


def frame(*messages: object) -> bytes:
    body = msgspec.msgpack.encode(list(messages))
    return struct.pack(">I", len(body)) + body


def is_dropped(peer: socket.socket) -> bool:
    """Whether the other end has closed without a word; a time-out is none."""
    try:
        return peer.recv(1) == b""
    except ConnectionError:
        return True


HOSTILE = {
    "a length of 4 GiB": b"\xff\xff\xff\xff",
    "a length just over the limit": struct.pack(">I", frames.MAX_FRAME_BYTES + 1),
    "no msgpack": struct.pack(">I", 4) + b"\xc1\xc1\xc1\xc1",
    "an HTTP request": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no batch": struct.pack(">I", 1) + b"\x00",
    "an unknown call": frame(["export-key", 1, DIGEST]),
    "an answer": frame(["done", 1, b""]),
    "a call with too much": frame(["status", 1, "more"]),
    "a call with too little": frame(["random", 1]),
    "a negative number": frame(["status", -1]),
    "text for bytes": frame(["encrypt", 1, "0" * 32, ACCOUNT, 1, "r", {}, b""]),
    "a short digest": frame(["encrypt", 1, bytes(31), ACCOUNT, 1, "r", {}, b""]),
    "an unknown purpose": frame(["encrypt", 1, DIGEST, ACCOUNT, 99, "r", {}, b""]),
    "no account": frame(["encrypt", 1, DIGEST, "*", 1, "r", {}, b""]),
    "an account with a line break": frame(["encrypt", 1, DIGEST, ACCOUNT + "\n", 1, "r", {}, b""]),
    "a long request id": frame(["encrypt", 1, DIGEST, ACCOUNT, 1, "r" * 129, {}, b""]),
    "too much plaintext": frame(["encrypt", 1, DIGEST, ACCOUNT, 1, "r", {}, bytes(6145)]),
    "too many pairs": frame(["encrypt", 1, DIGEST, ACCOUNT, 1, "r", {str(n): "" for n in range(65)}, b""]),
    "random bytes without end": frame(["random", 1, 1 << 40]),
    "a data key without end": frame(["generate-data-key", 1, DIGEST, ACCOUNT, 1, "r", {}, 1 << 40]),
    "a strange key id": frame(["generate-key", 1, ACCOUNT, "../../etc", 1, "AES_256", "ENCRYPT_DECRYPT", "HSM", "HSM"]),
    "an unknown spec": frame(["generate-key", 1, ACCOUNT, "0" * 36, 1, "RSA", "ENCRYPT_DECRYPT", "HSM", "HSM"]),
    "too many calls": frame(*(["status", number] for number in range(frames.MAX_MESSAGES + 1))),
    "deep nesting": struct.pack(">I", 100_000) + b"\x91" * 100_000,
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_garbage_ends_its_own_connection_alone(
    process: KeyStoreProcess, keystore: ProcessKeyStore, what: str
) -> None:
    pid = process.pid
    key = await keystore.generate_key(metadata())
    with connection(process) as peer:
        peer.sendall(HOSTILE[what])
        assert await asyncio.to_thread(is_dropped, peer)
    assert await keystore.encrypt(key, USE, TEXT, CONTEXT)
    assert (await keystore.status()).restarts == 0
    assert process.pid == pid
    assert process.ping()


@settings(max_examples=150)
@given(data=st.binary(min_size=1, max_size=300))
def test_no_bytes_at_all_stop_the_process(module_process: KeyStoreProcess, data: bytes) -> None:
    with connection(module_process) as peer:
        peer.sendall(struct.pack(">I", len(data)) + data)
        peer.shutdown(socket.SHUT_WR)
        peer.recv(65536)
    assert module_process.ping()


async def test_a_peer_that_never_reads_is_dropped_while_others_are_served(process: KeyStoreProcess) -> None:
    process.stop()
    path = process.path.with_name("impatient.sock")
    with KeyStoreProcess(process.token, path=path, stalled_seconds=1) as impatient, connection(impatient) as peer:
        keystore = ProcessKeyStore(impatient.path, deadline_seconds=30)
        await keystore.random(1)
        peer.setblocking(False)
        greedy = frame(*(["random", number, 4096] for number in range(256)))
        deadline = time.monotonic() + 60
        sent = 0
        while time.monotonic() < deadline:
            try:
                sent += peer.send(greedy[sent % len(greedy) :])
            except BlockingIOError:
                await keystore.random(32)
                await asyncio.sleep(0.05)
            except ConnectionError:
                break
        else:
            pytest.fail("it was never dropped")
        assert "takes no answers" in impatient.log()
        assert (await keystore.status()).restarts == 0
        await keystore.close()


async def test_half_a_frame_keeps_nobody_waiting(process: KeyStoreProcess, keystore: ProcessKeyStore) -> None:
    with connection(process) as slow:
        whole = frame(["random", 1, 32])
        slow.sendall(whole[:7])
        await keystore.random(32)
        slow.sendall(whole[7:])
        answer = await asyncio.to_thread(slow.recv, 4096)
    (done,) = m.decode_answers(answer[4:])
    assert isinstance(done, m.Done)
    assert len(done.value) == 32


async def test_a_busy_peer_leaves_turns_for_others(
    process: KeyStoreProcess, connect: Callable[..., ProcessKeyStore]
) -> None:
    busy, modest = connect(), connect()
    flood = [asyncio.create_task(busy.random(4096)) for _ in range(6000)]
    await asyncio.sleep(0)
    await modest.random(1)
    assert sum(call.done() for call in flood) < len(flood) / 2, "a single call waited for most of the flood"
    assert {len(value) for value in await asyncio.gather(*flood)} == {4096}


async def test_more_calls_than_fit_in_a_frame_all_get_answers(keystore: ProcessKeyStore) -> None:
    key = await keystore.generate_key(metadata())
    text = Plaintext(bytes(6000))
    made = await asyncio.gather(*(keystore.encrypt(key, USE, text, {}) for _ in range(3000)))
    assert len(set(made)) == 3000


async def test_calls_that_no_client_makes_are_refused(process: KeyStoreProcess, keystore: ProcessKeyStore) -> None:
    """A compromised worker speaks the protocol, but gets no further than it."""
    key = await keystore.generate_key(metadata())
    row = m.KeyRow.of(key)
    name = digest(key)
    calls = (
        m.Load(1, msgspec.structs.replace(row, account="000000000002")),
        m.Load(2, msgspec.structs.replace(row, blob=b"")),
        m.Load(3, msgspec.structs.replace(row, mac=b"")),
        m.Load(4, row),
        m.Encrypt(5, name, "000000000002", Purpose.API_CIPHERTEXT, "r", {}, b""),
        m.Encrypt(6, name, ACCOUNT, Purpose.STORAGE_KEY, "r", {}, b""),
        m.Encrypt(7, name, ACCOUNT, Purpose.API_CIPHERTEXT, "r", {"a": "x" * 9000}, b""),
        m.Encrypt(8, bytes(32), ACCOUNT, Purpose.API_CIPHERTEXT, "r", {}, b""),
        m.Encrypt(9, name, ACCOUNT, Purpose.API_CIPHERTEXT, "r", {}, b""),
    )
    with connection(process) as peer:
        unpacker = frames.Unpacker()
        answers: list[m.Answer] = []
        for batch in (calls[:4], calls[4:]):  # accounts take turns: a use would overtake another one's row
            peer.sendall(frames.pack(list(batch)))
            wanted = len(answers) + len(batch)
            while len(answers) < wanted:
                for body in unpacker.feed(await asyncio.to_thread(peer.recv, 65536)):
                    answers += m.decode_answers(body)
    answers.sort(key=lambda answer: answer.id)  # accounts take turns, so that calls of one overtake those of another
    kinds = [answer.kind if isinstance(answer, m.Failed) else type(answer).__name__ for answer in answers]
    assert kinds == [
        *["internal"] * 3,
        "Done",
        *["access-denied"] * 2,
        "invalid-request",
        "KeyUnknown",
        "Done",
    ]
    assert "belongs to another account" in process.log()


@pytest.mark.needs_root
async def test_a_peer_of_another_uid_is_turned_away(process: KeyStoreProcess, passable_path: Path) -> None:
    script = "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); sys.exit(s.recv(1) != b'')"
    process.stop()
    with KeyStoreProcess(process.token, path=passable_path / "keystore.sock") as reachable:
        reachable.path.chmod(0o666)
        command = ["setpriv", "--reuid=61701", "--clear-groups", "--", "/usr/bin/python3", "-c", script]
        command.append(str(reachable.path))
        found = await asyncio.to_thread(subprocess.run, command, timeout=60, capture_output=True)
        assert found.returncode == 0, found.stderr
        assert "uid 61701" in reachable.log()
        keystore = ProcessKeyStore(reachable.path, deadline_seconds=30)
        await keystore.random(1)
        await keystore.close()


async def test_rates_are_limited_for_each_account_alone(process: KeyStoreProcess) -> None:
    process.stop()
    limited = KeyStoreProcess(process.token, path=process.path.with_name("limited.sock"), rate_per_account=50)
    with limited:
        keystore = ProcessKeyStore(limited.path, deadline_seconds=30)
        mine = await keystore.generate_key(metadata())
        theirs = await keystore.generate_key(metadata(account="000000000002"))
        calls = (keystore.encrypt(mine, USE, TEXT, {}) for _ in range(200))
        answers = await asyncio.gather(*calls, return_exceptions=True)
        refused = [answer for answer in answers if isinstance(answer, Throttled)]
        assert 0 < len(answers) - len(refused) < 150
        assert all(refusal.retry_after_seconds for refusal in refused)
        assert await keystore.encrypt(theirs, dataclasses.replace(USE, account=theirs.account), TEXT, {})
        await keystore.close()
