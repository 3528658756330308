"""The client for code without an event loop: a thread of its own runs the asynchronous one."""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TypeVar

from secretsd.api.fields import Request, Response
from secretsd.api.values import GetSecretValueResponse
from secretsd.api.watch import SecretChange
from secretsd.client.cache import DEFAULT_MAX_AGE_SECONDS
from secretsd.client.client import Client
from secretsd.client.errors import ClientError
from secretsd.client.freshness import Freshness
from secretsd.client.login import Login, Made, Refused, is_refusal, worth_another
from secretsd.domain.sensitive import Plaintext

Result = TypeVar("Result")


class SyncClient:
    """A context manager around a Client; any thread may call it, also one that runs an event loop.

        with SyncClient.from_environment() as client:
            password = client.get("prod/db/app")
            page = client.run(lambda c: c.list_secrets(prefix="prod/"))

    It does not survive a fork, because its thread does not: make a new one in the child.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self._process = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="secretsd-client", daemon=True)
        self._thread.start()

    @classmethod
    def from_environment(cls) -> Self:
        """Around the client that the environment describes."""
        return cls(Client.from_environment())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def run(self, use: Callable[[Client], Awaitable[Result]]) -> Result:
        """The result of one use of the asynchronous client; what it raises is raised here."""
        if os.getpid() != self._process:
            raise ClientError("cannot use the client after a fork: make a new one in this process")
        if self._loop.is_closed():
            raise ClientError("cannot use the client: it is closed")
        if threading.current_thread() is self._thread:
            raise ClientError("cannot wait for the client on its own thread: await the asynchronous one there")

        async def used() -> Result:
            return await use(self.client)

        future = asyncio.run_coroutine_threadsafe(used(), self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # an interrupted caller takes its call along; nothing happens to one that has ended
            raise

    def call(self, operation: str, request: Request) -> Response:
        """Call any operation by its name."""
        return self.run(lambda client: client.call(operation, request))

    def get(
        self, name: str, stage: str | None = None, *, max_age_seconds: float = DEFAULT_MAX_AGE_SECONDS
    ) -> Plaintext:
        """A secret's value out of the bounded cache, at most `max_age_seconds` old."""
        return self.run(lambda client: client.secrets.get(name, stage, max_age_seconds=max_age_seconds))

    def login(
        self,
        name: str,
        connect: Callable[[GetSecretValueResponse], Made],
        *,
        refused: Refused,
        stage: str | None = None,
        max_age_seconds: float = DEFAULT_MAX_AGE_SECONDS,
    ) -> Login[Made]:
        """As the asynchronous client's; `connect` is called here, on the caller's thread."""
        found = self.run(lambda client: client.secrets.get_version(name, stage, max_age_seconds=max_age_seconds))
        try:
            return Login(connect(found), found.version_id, reread=False)
        except Exception as error:
            if not is_refusal(error, refused):
                raise
            again = self.run(lambda client: client.secrets.read_again(name, stage))
            if not worth_another(found, again):
                raise
        return Login(connect(again), again.version_id, reread=True)

    def watch(self, names: Iterable[str]) -> Generator[SecretChange, None, None]:
        """As the asynchronous client's: waits for each change, on the caller's thread."""
        changes = self.client.watch(names)
        try:
            while True:
                yield self.run(lambda _: anext(changes))
        finally:
            if not self._loop.is_closed():
                self.run(lambda _: changes.aclose())

    @contextmanager
    def keep_fresh(self, names: Iterable[str]) -> Iterator[Freshness]:
        """While this is open, values of these secrets in the cache are as fresh as if they had just been read."""
        keeping = self.client.secrets.keep_fresh(names)
        fresh = self.run(lambda _: keeping.__aenter__())
        try:
            yield fresh
        finally:
            self.run(lambda _: keeping.__aexit__(None, None, None))

    def close(self) -> None:
        """End the connections and the thread. Closing twice is once."""
        if self._loop.is_closed() or os.getpid() != self._process:
            return
        self.run(self._finish)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _finish(self, client: Client) -> None:
        await client.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
