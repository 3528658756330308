"""Request bodies: read within their limits of time and size, and within the room that all connections share."""

import asyncio
from typing import Any

from aiohttp.http_parser import RawRequestMessage

from secretsd.domain.errors import InvalidRequest, LimitExceeded, Throttled
from secretsd.transport.answers import CONTINUE
from secretsd.transport.framing import Refused
from secretsd.transport.limits import BodyRoom, Limits


async def read_body(
    request: RawRequestMessage, payload: Any, limits: Limits, room: BodyRoom, transport: asyncio.WriteTransport | None
) -> bytes:
    """The body; it stays counted in the room, for the caller to give back. Refused when it cannot be had.

    A body that the peer offers to send (Expect: 100-continue) is asked for over `transport`, unless it is too large.
    """
    limit = limits.max_body_bytes
    too_large = Refused(413, LimitExceeded(f"cannot read the body: it is over {limit} bytes"))
    length = request.headers.get("Content-Length", "0")
    if length.isdecimal() and int(length[:12]) > limit:
        raise too_large
    if request.headers.get("Expect", "").lower() == "100-continue" and transport is not None:
        transport.write(CONTINUE)
    if (
        payload.is_eof() and payload.exception() is None
    ):  # it came with the head, as most do: no deadline need be set for it
        whole: bytes = payload.read_nowait(-1)
        if len(whole) > limit:
            raise too_large
        try:
            room.take(len(whole))
        except Throttled as error:
            raise Refused(429, error) from None
        return whole
    parts, size, complete = [], 0, False
    try:
        async with asyncio.timeout(limits.body_seconds):
            while part := await payload.readany():
                if size + len(part) > limit:
                    raise too_large
                room.take(len(part))
                size += len(part)
                parts.append(part)
        complete = True
    except TimeoutError:
        raise Refused(408, InvalidRequest("cannot wait for the body any longer")) from None
    except Throttled as error:
        raise Refused(429, error) from None
    except Refused:
        raise
    except Exception:  # noqa: BLE001  # aiohttp raises several kinds for a body that breaks off or is malformed
        raise Refused(400, InvalidRequest("cannot read the body: it broke off or is malformed")) from None
    finally:
        if not complete:
            room.give(size)
    return b"".join(parts)
