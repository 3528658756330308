"""What travels between a worker, the rotator host and an attempt; the frames are those of `adapters/frames.py`.

A connection is one attempt: the worker sends a Heading, the attempt answers Started, the worker sends Work, and the
attempt answers with one result. In apply, notes go back and forth before that.
"""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from secretsd.adapters.frames import BadFrame, Unpacker, pack
from secretsd.domain.sensitive import Plaintext
from secretsd.ports.rotator import Acceptance, Candidate, JobOrder, Outcome, RotatorDescription, StagedSecret

MAX_HEADING_BYTES = 4096
METHODS = frozenset({"describe", "check", "prepare", "apply", "settle", "probe", "verify", "idle", "restore", "revoke"})
MAX_DETAIL = 200
REASON_PATTERN = r"[a-z][a-z-]{0,63}"


class _Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    pass


class Heading(_Message, frozen=True):
    """All that the host itself reads: which method of which rotator, for whom, for how long. No value is in it.

    The method `list` is answered by the host, with the names of the rotators that may load.
    """

    method: str
    rotator: str
    account: str
    deadline_seconds: float


class Work(_Message, frozen=True):
    """The order, as far as the method has one: a job, versions to probe or revoke, settings or an address to check."""

    order: JobOrder | None = None
    versions: tuple[StagedSecret, ...] = ()
    settings: str | None = None
    address: str | None = None


class NoteStored(_Message, frozen=True):
    """The engine has stored the last note."""


class Names(_Message, frozen=True):
    """The rotators that may load."""

    names: tuple[str, ...]


class Started(_Message, frozen=True):
    """The attempt's process is there and waits for its work: from now on an effect is possible."""


class Note(_Message, frozen=True):
    """What the rotator noted during apply; it waits until the engine has stored it."""

    data: bytes


class Described(_Message, frozen=True):
    """The rotator as a worker knows it."""

    description: RotatorDescription


class Checked(_Message, frozen=True):
    """The settings, or the address, in canonical JSON."""

    text: str


class Prepared(_Message, frozen=True):
    """What prepare made."""

    candidate: Candidate


class Applied(_Message, frozen=True):
    """What became of the effect, or of its undoing."""

    outcome: Outcome


class Probed(_Message, frozen=True):
    """What the target thinks of each version, by id."""

    acceptances: dict[str, Acceptance]


class Idle(_Message, frozen=True):
    """Whether nobody uses the login that is next."""

    idle: bool


class Done(_Message, frozen=True):
    """Settled, verified or revoked."""


class Failed(_Message, frozen=True):
    """A refusal; what an attempt says of it is held to one word and one short line, whoever wrote the rotator."""

    reason: Annotated[str, msgspec.Meta(pattern=rf"\A{REASON_PATTERN}\Z")]
    detail: Annotated[str, msgspec.Meta(max_length=MAX_DETAIL, pattern=r"\A[^\x00-\x1f\x7f]*\Z")] = ""
    away: bool = False


Answer = Names | Started | Note | Described | Checked | Prepared | Applied | Probed | Idle | Done | Failed


def encode(message: msgspec.Struct) -> bytes:
    """A frame with the one message; BadFrame when it is over the limit."""
    return pack([msgspec.Raw(_encode(message))])


def _reveal(value: Any) -> Any:
    if isinstance(value, Plaintext):
        return value.reveal()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"cannot send a {type(value).__name__}")


def _conceal(wanted: type, value: Any) -> Any:
    if wanted is Plaintext and isinstance(value, bytes):
        return Plaintext(value)
    raise TypeError(f"cannot read a {wanted.__name__}")


_encode = msgspec.msgpack.Encoder(enc_hook=_reveal).encode


class Channel:
    """One side of a connection, on an event loop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._unpacker = Unpacker()
        self._bodies: list[bytes] = []

    async def send(self, message: msgspec.Struct) -> None:
        """Send one message; ConnectionError when the peer is gone."""
        self._writer.write(encode(message))
        await self._writer.drain()

    async def receive(self, wanted: Any) -> Any:
        """The next message, decoded strictly; EOFError at the end, BadFrame for anything else."""
        while not self._bodies:
            data = await self._reader.read(65536)
            if not data:
                raise EOFError
            self._bodies += self._unpacker.feed(data)
        return decode(self._bodies.pop(0), wanted)

    def at_end(self) -> bool:
        """Whether the peer is known to have hung up."""
        return self._reader.at_eof() or self._writer.is_closing()

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


def decode(body: bytes, wanted: Any) -> Any:
    """The one message of a frame's body; BadFrame when it is none of those wanted. The error holds nothing of it."""
    try:
        (message,) = msgspec.msgpack.decode(body, type=list[wanted], dec_hook=_conceal)
    except (msgspec.DecodeError, ValueError):
        raise BadFrame("cannot read the frame: it holds no message that is due now") from None
    return message
