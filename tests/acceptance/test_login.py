"""The client logs in at a real PostgreSQL whose password has just been changed: one re-read, and it is in."""

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from secretsd.api.values import GetSecretValueResponse
from secretsd.client import Client, Login, TextValue
from secretsd.client.cache import value_of
from secretsd.client.sync import SyncClient
from secretsd.testing.daemon import Daemon
from secretsd.testing.postgres import PostgresServer, postgres
from tests.acceptance.wire import daemon_in_passable_place

pytestmark = [pytest.mark.acceptance, pytest.mark.needs_root]
NAME = "app/database"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres() as running:
        running.sql("CREATE ROLE app LOGIN")
        yield running


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with daemon_in_passable_place() as daemon:
        assert daemon.call("POST", "/v1/secrets", {"name": NAME}).status == 200
        yield daemon


def change(server: PostgresServer, daemon: Daemon, password: str) -> None:
    """What a rotation does: the role's password, then the secret."""
    server.sql(f"ALTER ROLE app PASSWORD '{password}'")
    value = {"host": "127.0.0.1", "port": server.port, "dbname": "postgres", "username": "app", "password": password}
    daemon.call("PUT", f"/v1/secrets/{NAME}:value", {"text": json.dumps(value)})


def options(found: GetSecretValueResponse) -> dict[str, Any]:
    value = json.loads(value_of(found).reveal())
    names = {"host": "host", "port": "port", "dbname": "dbname", "username": "user", "password": "password"}
    return {names[name]: one for name, one in value.items()}


async def connect(found: GetSecretValueResponse) -> psycopg.AsyncConnection:
    return await psycopg.AsyncConnection.connect(**options(found))


async def log_in(client: Client) -> Login[psycopg.AsyncConnection]:
    made = await client.login(NAME, connect, refused=psycopg.OperationalError)
    cursor = await made.connection.execute("SELECT current_user")
    assert await cursor.fetchone() == ("app",)
    await made.connection.close()
    return made


async def test_a_password_that_changed_costs_one_read(
    server: PostgresServer, daemon: Daemon, caplog: pytest.LogCaptureFixture
) -> None:
    async with Client(socket=daemon.socket) as client:
        with caplog.at_level(logging.DEBUG):
            for number in range(5):
                await asyncio.to_thread(change, server, daemon, f"canary-of-login-{number}")
                made = [await log_in(client) for _ in range(3)]
                assert [one.reread for one in made] == [number > 0, False, False]
    assert "canary-of-login" not in caplog.text


async def test_a_kept_cache_needs_none(server: PostgresServer, daemon: Daemon) -> None:
    async with Client(socket=daemon.socket) as client, client.secrets.keep_fresh([NAME]):
        await asyncio.to_thread(change, server, daemon, "before")
        await log_in(client)
        watch = client.watch([NAME])
        known = (await anext(watch)).number
        await asyncio.to_thread(change, server, daemon, "after")
        async with asyncio.timeout(10):
            while (await anext(watch)).number == known:
                pass
        await watch.aclose()
        async with asyncio.timeout(10):
            while "after" not in value_of(await client.secrets.get_version(NAME)).reveal().decode():  # noqa: ASYNC110
                await asyncio.sleep(0)  # this connection may hear of it a moment later than the other one
        assert not (await log_in(client)).reread


async def test_a_target_that_is_away_is_no_reason_to_try_twice(server: PostgresServer, daemon: Daemon) -> None:
    """Its error has the same type in psycopg; the value is read again, is the same, and the error is the caller's."""
    await asyncio.to_thread(change, server, daemon, "right")
    tries = 0

    async def elsewhere(found: GetSecretValueResponse) -> psycopg.AsyncConnection:
        nonlocal tries
        tries += 1
        return await psycopg.AsyncConnection.connect(**{**options(found), "port": 1})

    async with Client(socket=daemon.socket) as client:
        with pytest.raises(psycopg.OperationalError):
            await client.login(NAME, elsewhere, refused=psycopg.OperationalError)
    assert tries == 1


def test_the_synchronous_face(server: PostgresServer, daemon: Daemon) -> None:
    with SyncClient(Client(socket=daemon.socket)) as client:
        rereads = []
        for number in range(3):
            change(server, daemon, f"synchronous {number}")
            made = client.login(NAME, lambda found: psycopg.connect(**options(found)), refused=psycopg.OperationalError)
            rereads.append(made.reread)
            made.connection.close()
        with client.keep_fresh([NAME]) as fresh:
            assert fresh.connected
            changes = client.watch([NAME])
            assert next(changes).name == NAME
            client.run(lambda one: one.put_secret_value(NAME, text=TextValue(b"{}")))
            assert next(changes).number is not None
            changes.close()
    assert rereads == [False, True, True]
