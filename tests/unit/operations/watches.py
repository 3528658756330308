"""Watches of secrets, and what tests read from them."""

import asyncio
from collections.abc import Iterable
from typing import Any

from secretsd.operations.authenticator import Caller
from secretsd.operations.streams import Batch, Stream

READS = {"effect": "Allow", "action": ["WatchSecrets"], "resource": ["secret/app/*"]}


async def watch(house, names: Iterable[str], caller: Caller | None = None, **fields: Any) -> Stream[Any]:
    answer = await house.run("WatchSecrets", caller or Caller("unix", uid=0), names=tuple(names), **fields)
    assert answer.error is None, answer.error
    return answer.stream


async def batch(stream: Stream[Any]) -> Batch[Any]:
    found = await asyncio.wait_for(stream.next(), 10)
    assert found is not None
    return found


async def told(stream: Stream[Any]) -> dict[str, int | None]:
    """The numbers of the versions in the next batch that has any."""
    while not (found := await batch(stream)).items:
        assert not found.farewell, found
    return {item.name: item.number for item in found.items}


async def put(house, name: str, text: str) -> None:
    await house.call("PutSecretValue", name=name, text=text)


async def goodbye(stream: Stream[Any]) -> str:
    while not (found := await batch(stream)).farewell:
        pass
    assert await stream.next() is None
    return found.farewell
