"""What envelope encryption costs an application: CPU for 1 GiB beside bare AES-256-GCM, data keys for many messages."""

import os
import resource
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.figures import Figure, at_most, median
from benchmarks.options import Options
from secretsd.api.fields import Request, Response
from secretsd.client import Client, Plaintext
from secretsd.client.encryption import DEFAULT_FRAME_BYTES, SyncEncryption
from secretsd.client.sync import SyncClient
from secretsd.testing.daemon import running

MESSAGES = 10_000
MESSAGE = Plaintext(bytes(100))
CONTEXT = {"table": "orders", "tenant": "17"}
NOWHERE = "/dev/null"
BAR_RATIO, BAR_DATA_KEYS = 1.3, 11
GIB = 1 << 30
Answer = TypeVar("Answer", bound=Response)


class CountingClient(Client):
    """Counts the calls of each operation."""

    calls: Counter[str]

    async def exchange(self, operation: str, request: Request, answer: type[Answer]) -> Answer:
        """As the client's."""
        self.calls[operation] += 1
        return await super().exchange(operation, request, answer)


def run(options: Options) -> list[Figure]:
    """Both sides in this process on one thread, in turns; the daemon is a real one, and its share is a call or two."""
    plain = options.directory / "plain"
    size = GIB // 32 if options.quick else GIB
    _write(plain, size)
    with running(options.directory / "state") as daemon:
        client = CountingClient(socket=daemon.socket, token=Plaintext.from_text(daemon.token))
        client.calls = Counter()
        with SyncClient(client) as sync:
            key = sync.run(lambda c: c.create_key(description="of the benchmark")).id
            return [*_large(sync, key, plain, size, options.rounds), *_small(sync, client.calls, key)]


def _large(client: SyncClient, key: str, plain: Path, size: int, rounds: int) -> list[Figure]:
    encryption = SyncEncryption(client, key)
    sealed = plain.with_name("sealed")
    _stream(encryption.encrypt_stream, plain, str(sealed))
    buffered, bare, ours, opened = [], [], [], []
    for _ in range(rounds):
        bare.append(_cpu(lambda: _bare(plain)) * GIB / size)
        ours.append(_cpu(lambda: _stream(encryption.encrypt_stream, plain, NOWHERE)) * GIB / size)
        opened.append(_cpu(lambda: _stream(encryption.decrypt_stream, sealed, NOWHERE)) * GIB / size)
        buffered.append(_cpu(lambda: _in_memory(size)) * GIB / size)
    ratio = median([b / a for a, b in zip(bare, ours, strict=True)])
    back = median([b / a for a, b in zip(bare, opened, strict=True)])
    return [
        Figure("bare AES-256-GCM, from a file: CPU-s for 1 GiB", f"{median(bare):.3f}"),
        Figure("the same from memory, nothing read or written", f"{median(buffered):.3f}"),
        Figure("a message, from a file: CPU-s for 1 GiB", f"{median(ours):.3f}"),
        at_most("a message in parts of bare AES-256-GCM from a file", ratio, BAR_RATIO),
        Figure("a message in parts of that from memory", f"{median(ours) / median(buffered):.2f}"),
        Figure("decrypting in parts of bare AES-256-GCM", f"{back:.2f}"),
    ]


def _small(client: SyncClient, calls: Counter[str], key: str) -> list[Figure]:
    encryption, reader = SyncEncryption(client, key), SyncEncryption(client)
    calls.clear()
    messages: list[bytes] = []
    sealing = _cpu(lambda: messages.extend(encryption.encrypt(MESSAGE, context=CONTEXT) for _ in range(MESSAGES)))
    opened: list[Plaintext] = []
    opening = _cpu(lambda: opened.extend(reader.decrypt(one, context=CONTEXT) for one in messages))
    if any(one != MESSAGE for one in opened) or len(opened) != MESSAGES:
        raise RuntimeError("cannot go on: a message did not come back as it was")
    return [
        at_most(f"data keys for {MESSAGES:,} messages", calls["GenerateDataKey"], BAR_DATA_KEYS, digits=0),
        Figure(f"decrypted data keys for {MESSAGES:,} messages", str(calls["Decrypt"])),
        Figure("a message of 100 bytes: encrypt, decrypt, CPU", f"{_micro(sealing)}, {_micro(opening)}"),
    ]


def _bare(plain: Path) -> None:
    """The least that can be done with the library: pieces of a frame's length, read and encrypted into a buffer."""
    cipher = AESGCM(os.urandom(32))
    piece = memoryview(bytearray(DEFAULT_FRAME_BYTES))
    sealed = memoryview(bytearray(DEFAULT_FRAME_BYTES + 16))
    number = 0
    with open(plain, "rb", buffering=0) as source, open(NOWHERE, "wb", buffering=0) as sink:
        while length := source.readinto(piece):
            number += 1
            cipher.encrypt_into(number.to_bytes(12, "big"), piece[:length], None, sealed[: length + 16])
            sink.write(sealed[: length + 16])


def _in_memory(size: int) -> None:
    cipher = AESGCM(os.urandom(32))
    piece = bytes(DEFAULT_FRAME_BYTES)
    sealed = bytearray(DEFAULT_FRAME_BYTES + 16)
    for number in range(size // DEFAULT_FRAME_BYTES):
        cipher.encrypt_into(number.to_bytes(12, "big"), piece, None, sealed)


def _stream(work: Callable[..., int], source: Path, sink: str) -> None:
    with open(source, "rb", buffering=0) as reading, open(sink, "wb", buffering=0) as writing:
        work(reading, writing, context=CONTEXT)


def _write(path: Path, size: int) -> None:
    """Random bytes, so that nothing can make them shorter; the file is in the page cache afterwards."""
    block = os.urandom(1 << 20)
    with path.open("wb") as file:
        for _ in range(size >> 20):
            file.write(block)


def _cpu(work: Callable[[], object]) -> float:
    """CPU seconds of this process, user and system."""

    def used() -> float:
        now = resource.getrusage(resource.RUSAGE_SELF)
        return now.ru_utime + now.ru_stime

    before = used()
    work()
    return used() - before


def _micro(seconds: float) -> str:
    return f"{seconds / MESSAGES * 1e6:.0f} µs"
