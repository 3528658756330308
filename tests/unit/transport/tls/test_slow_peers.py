"""Peers over TLS that dawdle, break off or send much: they are bounded, answered, and cost nobody else anything."""

import asyncio
import contextlib
import logging
import socket
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.transport.conftest import until
from tests.unit.transport.tls.place import CLOSE, GET, LIMITS

HOUR = timedelta(hours=1)


async def test_a_handshake_that_stays_half_open_ends(place):
    place.start()
    began = asyncio.get_running_loop().time()
    reader, writer = await place.connect_plainly()
    assert await asyncio.wait_for(reader.read(), 5) == b""
    assert 0.4 < asyncio.get_running_loop().time() - began < 3
    writer.close()
    await until(lambda: (place.listener.failed_handshakes, len(place.listener._opening)) == (1, 0))


async def test_a_handshake_that_drips_ends_as_well(place):
    place.start()
    reader, writer = await place.connect_plainly()

    async def drip() -> None:
        for byte in b"\x16\x03\x01\x02\x00\x01\x00" + b"\x00" * 500:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.05)

    dripping = asyncio.create_task(drip())
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), 5) == b""
    dripping.cancel()
    await until(lambda: place.listener.failed_handshakes == 1)


async def test_half_open_handshakes_count_as_connections(place):
    place.limits = replace(LIMITS, max_connections=2, header_seconds=5)
    place.start()
    held = [await place.connect_plainly() for _ in range(2)]
    await until(lambda: len(place.listener._opening) == 2)
    with pytest.raises(OSError):  # noqa: PT011  # reset or end, as the moment has it
        await place.connect()
    assert place.listener.turned_away == 1
    for _, writer in held:
        writer.close()


async def test_a_head_that_drips_over_tls_is_refused(place):
    place.start()
    reader, writer = await place.connect()
    writer.write(GET[:10])
    assert (await reader.readline()).startswith(b"HTTP/1.1 408")
    writer.close()


async def test_a_refused_request_is_answered_though_the_peer_is_still_sending(place):
    place.start()
    trusting = place.trusting()

    def sent_to_its_end() -> bytes:
        """Sends all of it before it looks at what came: a reset would have taken the answer away."""
        plain = socket.create_connection(("127.0.0.1", place.port), timeout=10)
        with trusting.wrap_socket(plain) as wrapped:
            wrapped.sendall(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n")
            for _ in range(20):
                wrapped.sendall(b"x" * 100_000)
            return wrapped.recv(100)

    assert (await asyncio.to_thread(sent_to_its_end)).startswith(b"HTTP/1.1 413")


async def test_a_request_that_breaks_off_is_recorded_and_the_log_stays_still(place, caplog):
    place.start()
    _, writer = await place.connect()
    writer.write(GET[:10])
    writer.close()
    await until(lambda: len(place.dialect.refused) == 1)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_many_requests_on_one_connection(place):
    place.start()
    reader, writer = await place.connect()
    for _ in range(50):
        writer.write(GET)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        while await reader.readline() != b"\r\n":
            pass
        await reader.readexactly(len(b"/a 0"))
    writer.close()


async def test_a_large_answer_to_a_peer_that_reads_slowly(place):
    place.dialect.padding = 4 * 1024 * 1024
    place.start()
    reader, writer = await place.connect()
    writer.write(CLOSE)
    await asyncio.sleep(0.1)
    assert len(await reader.read()) > 4 * 1024 * 1024
    writer.close()


async def test_a_peer_that_does_not_end_with_us_is_not_waited_for(place):
    """TLS asks for an answer to its goodbye (RFC 8446, 6.1)."""
    place.start()
    _, writer = await place.connect()
    await until(lambda: place.listener.open_connections == 1)
    writer.transport.pause_reading()
    writer.write(CLOSE)
    began = asyncio.get_running_loop().time()
    await until(lambda: place.dialect.asked and place.listener.open_connections == 0)
    assert asyncio.get_running_loop().time() - began < 5


async def test_stopping_ends_connections_that_wait_for_the_anchors(place):
    place.start()
    place.anchors.gate = asyncio.Event()
    reader, _ = await place.connect_plainly()
    await until(lambda: len(place.listener._opening) == 1)
    await place.listener.stop(1)
    place.listener = None
    assert await asyncio.wait_for(reader.read(), 5) == b""


async def test_stopping_ends_open_handshakes_and_idle_connections(place):
    place.limits = replace(LIMITS, header_seconds=60)
    place.start()
    half, half_writer = await place.connect_plainly()
    whole, whole_writer = await place.connect()
    await until(lambda: place.listener.open_connections == 1)
    await place.listener.stop(1)
    place.listener = None
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(half.read(), 5) == b""
    assert await asyncio.wait_for(whole.read(), 5) == b""
    half_writer.close()
    whole_writer.close()


async def test_a_request_that_is_refused_ends_its_connection_whatever_goes_wrong(place, monkeypatch):
    """Else a peer that breaks what answers it would keep the connection past every deadline."""
    place.start()

    async def fails(*_, **__):
        raise ValueError

    monkeypatch.setattr(place.dialect, "refuse", fails)
    reader, writer = await place.connect()
    writer.write(b"GET /a HTTP/1.1\r\nHost: a\r\nX: ")
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
