"""Answers that go on after their call: batches of items until one side has had enough."""

from collections.abc import Awaitable, Callable
from typing import Generic, NamedTuple, TypeVar

from secretsd.domain.principals import Principal

Item = TypeVar("Item")
Prove = Callable[[], Awaitable[Principal]]


class Batch(NamedTuple, Generic[Item]):
    """What happened up to `position`; without items it is a sign of life. With a `farewell` it is the last one.

    Whoever has all items of a batch, and only he, may go on from its position later.
    """

    items: tuple[Item, ...]
    position: str
    farewell: str = ""


class Stream(Generic[Item]):
    """What an operation returns in the place of a response; its items are of the type that the document names.

    `kind` is what an item is called on the wire. Whoever holds a stream closes it, read or not.
    """

    kind = "item"

    async def next(self) -> Batch[Item] | None:
        """The next batch, waited for; None when it is over. For one reader."""
        raise NotImplementedError

    def proved_by(self, prove: Prove) -> None:
        """Tell how the caller's identity is proved again while the stream goes on; it raises when it no longer is."""
        raise NotImplementedError

    def end(self, farewell: str) -> None:
        """Say goodbye in the next batch, in one word; whoever waits for a batch gets it now."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of everything; nothing comes any more. Closing twice is once."""
        raise NotImplementedError
