"""Encryption for code without an event loop: the work is done on the caller's thread, data keys come over the loop."""

import io
from collections.abc import Collection, Mapping

from secretsd.client.encryption.data_keys import DataKey, Limits
from secretsd.client.encryption.encryption import Encryption
from secretsd.client.encryption.frames import DEFAULT_FRAME_BYTES
from secretsd.client.encryption.header import read_header
from secretsd.client.encryption.source import MessageReader, Sink, Source
from secretsd.client.encryption.streams import Progress, StreamSealing, open_frames, seal
from secretsd.client.sync import SyncClient
from secretsd.domain.sensitive import Plaintext


class SyncEncryption:
    """As Encryption, around a SyncClient; any thread may use it, and threads share the data keys.

    After a fork it refuses, as the client does: make both anew in the child.
    """

    def __init__(
        self,
        client: SyncClient,
        key: str | None = None,
        *,
        accepted: Collection[str] | None = None,
        limits: Limits | None = None,
        frame_bytes: int = DEFAULT_FRAME_BYTES,
    ) -> None:
        self._client = client
        self._inner = Encryption(client.client, key, accepted=accepted, limits=limits, frame_bytes=frame_bytes)

    def encrypt(self, data: Plaintext, *, context: Mapping[str, str] | None = None) -> bytes:
        """The message of `data`."""
        given = dict(context or {})
        return seal(data, self._data_key(given, len(data)), given, self._inner.frame_bytes)

    def decrypt(self, message: bytes, *, context: Mapping[str, str] | None = None) -> Plaintext:
        """The plaintext of a message; all of it is authenticated before any of it is returned."""
        plaintext = io.BytesIO()
        self.decrypt_stream(io.BytesIO(message), plaintext, context=context)
        return Plaintext(plaintext.getvalue())

    def encrypt_stream(
        self,
        source: Source,
        sink: Sink,
        *,
        context: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> int:
        """As Encryption's, on the caller's thread."""
        given = dict(context or {})
        stream = StreamSealing(source, self._inner.frame_bytes)
        data_key = self._data_key(given, stream.begin())
        return stream.seal(data_key, given, sink, progress)

    def decrypt_stream(
        self,
        source: Source,
        sink: Sink,
        *,
        context: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> int:
        """As Encryption's, on the caller's thread: what is in `sink` counts once this has returned."""
        reader = MessageReader(source)
        read = read_header(reader)
        opener = self._inner.kept_opener(read, context) or self._client.run(lambda _: self._inner.opener(read, context))
        return open_frames(reader, opener, sink, progress)

    def _data_key(self, context: Mapping[str, str], size: int | None) -> DataKey:
        key, keys = self._inner.key, self._inner.data_keys
        kept = None if size is None else keys.take(key, context, size)
        return kept or self._client.run(lambda _: keys.to_encrypt(key, context, size))
