"""Encryption and decryption of messages by an application itself; the daemon only gives and opens their data keys."""

import asyncio
import io
import threading
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from secretsd.client.encryption.data_keys import DataKey, DataKeys, Exchange, Limits
from secretsd.client.encryption.frames import DEFAULT_FRAME_BYTES, MAX_FRAME_BYTES, FrameOpener
from secretsd.client.encryption.header import PROVIDER, EncryptedDataKey, ReadHeader, read_header
from secretsd.client.encryption.source import MessageReader, Sink, Source
from secretsd.client.encryption.streams import Progress, StreamSealing, open_frames, seal
from secretsd.client.encryption.suite import MessageKeys
from secretsd.client.errors import ClientError
from secretsd.domain.errors import (
    AccessDenied,
    InvalidCiphertext,
    InvalidState,
    KeyDisabled,
    NotFound,
    SecretsdError,
)
from secretsd.domain.sensitive import Plaintext

Result = TypeVar("Result")
ON_THE_LOOP_BYTES = 1024 * 1024
"""Up to this length it is quicker to encrypt at once than to hand it to a thread: some 200 µs."""
_ANOTHER_MAY_DO = (AccessDenied, InvalidCiphertext, InvalidState, KeyDisabled, NotFound)


class Encryption:
    """Messages under a CMK; made around a Client, whose loop it belongs to, and shared by any number of tasks.

        encryption = Encryption(client, "alias/orders")
        message = await encryption.encrypt(Plaintext(b"…"), context={"order": "17"})
        plaintext = await encryption.decrypt(message, context={"order": "17"})

    `key` is what encrypts: id, alias or full name; without it nothing but decryption works. A message opens with the
    context that it was made with, no more and no less. With `accepted`, ids of CMKs, messages under others are refused.
    Whatever is no whole, unchanged message raises InvalidCiphertext; refusals of the daemon raise their own kind.
    """

    def __init__(
        self,
        client: Exchange,
        key: str | None = None,
        *,
        accepted: Collection[str] | None = None,
        limits: Limits | None = None,
        frame_bytes: int = DEFAULT_FRAME_BYTES,
    ) -> None:
        if not 1 <= frame_bytes <= MAX_FRAME_BYTES:
            raise ClientError(f"cannot use frames of {frame_bytes} bytes: they have 1 to {MAX_FRAME_BYTES}")
        if isinstance(accepted, str):
            raise ClientError("cannot accept keys: give a list of their ids")
        self.frame_bytes = frame_bytes
        self.data_keys = DataKeys(client, limits or Limits())
        self._key = key
        self._accepted = None if accepted is None else frozenset(accepted)

    async def encrypt(self, data: Plaintext, *, context: Mapping[str, str] | None = None) -> bytes:
        """The message of `data`."""
        given = dict(context or {})
        data_key = await self.data_keys.to_encrypt(self.key, given, len(data))
        if len(data) <= ON_THE_LOOP_BYTES:
            return seal(data, data_key, given, self.frame_bytes)
        return await asyncio.to_thread(seal, data, data_key, given, self.frame_bytes)

    async def decrypt(self, message: bytes, *, context: Mapping[str, str] | None = None) -> Plaintext:
        """The plaintext of a message; all of it is authenticated before any of it is returned."""
        plaintext = io.BytesIO()
        reader = MessageReader(io.BytesIO(message))
        opener = await self.opener(read_header(reader), context)
        if len(message) <= ON_THE_LOOP_BYTES:
            open_frames(reader, opener, plaintext, None)
        else:
            await asyncio.to_thread(open_frames, reader, opener, plaintext, None)
        return Plaintext(plaintext.getvalue())

    async def encrypt_stream(
        self,
        source: Source,
        sink: Sink,
        *,
        context: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> int:
        """Encrypt all that `source` gives into `sink`, in memory of a few frames; return how many bytes that was.

        Both are used on a thread, and left open. `progress` is told there of each frame's bytes.
        """
        given = dict(context or {})
        stream = StreamSealing(source, self.frame_bytes)
        length = await _on_a_thread(lambda _: stream.begin())
        data_key = await self.data_keys.to_encrypt(self.key, given, length)
        return await _on_a_thread(lambda stopping: stream.seal(data_key, given, sink, _until(stopping, progress)))

    async def decrypt_stream(
        self,
        source: Source,
        sink: Sink,
        *,
        context: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> int:
        """Decrypt the message that `source` gives into `sink`, as `encrypt_stream` the other way round.

        Each frame is authenticated before it is written, but whether the message is whole is known at its end: use
        what is in `sink` once this has returned, and throw it away where it raises (`new_file` does).
        """
        reader = MessageReader(source)
        read = await _on_a_thread(lambda _: read_header(reader))
        opener = await self.opener(read, context)
        return await _on_a_thread(lambda stopping: open_frames(reader, opener, sink, _until(stopping, progress)))

    @property
    def key(self) -> str:
        """The key that encrypts; ClientError where none was given."""
        if self._key is None:
            raise ClientError("cannot encrypt: no key was given")
        return self._key

    async def opener(self, read: ReadHeader, context: Mapping[str, str] | None) -> FrameOpener:
        """What opens the frames behind a header, once the header is authentic and its context is the one expected.

        Of several data keys for the daemon the first that opens the message is used; the error is that of the first.
        """
        given = dict(context or {})
        first: SecretsdError | None = None
        for one in self._for_the_daemon(read, given):
            try:
                return self.proved(read, await self.data_keys.to_decrypt(one.ciphertext, given))
            except _ANOTHER_MAY_DO as error:
                first = first or error
        raise first or InvalidCiphertext("cannot open the message: none of its data keys is for the daemon")

    def kept_opener(self, read: ReadHeader, context: Mapping[str, str] | None) -> FrameOpener | None:
        """As `opener`, from any thread, if the first data key is kept; None where the daemon has to be asked."""
        given = dict(context or {})
        for one in self._for_the_daemon(read, given):
            data_key = self.data_keys.known(one.ciphertext, given)
            return None if data_key is None else self.proved(read, data_key)
        return None

    def _for_the_daemon(self, read: ReadHeader, given: Mapping[str, str]) -> list[EncryptedDataKey]:
        if given != read.header.context:
            raise InvalidCiphertext("cannot open the message: its encryption context is another one")
        return [one for one in read.header.data_keys if one.provider == PROVIDER]

    def proved(self, read: ReadHeader, data_key: DataKey) -> FrameOpener:
        """What opens the frames under this data key; InvalidCiphertext where it is not the message's."""
        if self._accepted is not None and data_key.key_id not in self._accepted:
            raise InvalidCiphertext("cannot open the message: it is under a key that is not accepted here")
        keys = MessageKeys.derive(data_key.plaintext, read.header.message_id)
        if not read.verify(keys):
            raise InvalidCiphertext("cannot open the message: its header is not as it was written")
        return FrameOpener(keys.cipher, read.header.message_id, read.header.frame_bytes)


class _Stopped(Exception):
    """Ends the thread's work once the task has been cancelled; never seen outside."""


def _until(stopping: threading.Event, progress: Progress | None) -> Progress:
    def told(size: int) -> None:
        if stopping.is_set():
            raise _Stopped
        if progress is not None:
            progress(size)

    return told


async def _on_a_thread(work: Callable[[threading.Event], Result]) -> Result:
    """The result of blocking work. A cancelled caller waits until the thread has let go of source and sink."""
    stopping = threading.Event()
    task = asyncio.ensure_future(asyncio.to_thread(work, stopping))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stopping.set()
        await asyncio.wait([task])
        raise
