"""The proxy does to both sides what each of its faults says, and tells where."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from secretsd.testing.authority import Authority
from secretsd.testing.cutting_proxy import CuttingProxy, Fault
from secretsd.testing.postgres import PostgresServer, postgres

pytestmark = pytest.mark.integration
NAME = "behind-the-proxy"
BACKENDS = f"SELECT state, query FROM pg_stat_activity WHERE application_name = '{NAME}'"


@pytest.fixture
def proxy(server: PostgresServer) -> Iterator[CuttingProxy]:
    server.sql("DROP TABLE IF EXISTS struck", "CREATE TABLE struck (number int)")
    with CuttingProxy(server.port) as running:
        yield running


def connect(server: PostgresServer, proxy: CuttingProxy, **more: Any) -> psycopg.Connection:
    return psycopg.connect(
        host="localhost", port=proxy.port, user="postgres", password=server.password, dbname="postgres",
        application_name=NAME, autocommit=True, connect_timeout=2, **more,
    )  # fmt: skip


def until(condition: Callable[[], object]) -> bool:
    end = time.monotonic() + 5
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize(
    ("fault", "arrives", "client_hears", "server_is_left"),
    [
        (Fault.CUT_BEFORE, False, True, False),
        (Fault.CUT_AFTER, True, True, False),
        (Fault.HALF_OPEN, False, True, True),
        (Fault.BLACK_HOLE, False, False, True),
        (Fault.REPLY_LOST, True, False, True),
    ],
    ids=lambda value: value.value if isinstance(value, Fault) else "",
)
def test_a_fault(server, proxy, fault, arrives, client_hears, server_is_left) -> None:
    connection = connect(server, proxy)
    connection.execute("SELECT 1")
    proxy.arm(fault, 1, lambda text: text.startswith("INSERT"))
    connection.execute("INSERT INTO struck VALUES (1)")
    connection.pgconn.send_query(b"INSERT  INTO\nstruck VALUES (2)")
    assert proxy.wait_for_strike(5.0) == proxy.struck == "INSERT INTO struck VALUES (2)"
    assert proxy.seen == ["INSERT INTO struck VALUES (1)", "INSERT INTO struck VALUES (2)"]

    def hears() -> bool:
        with contextlib.suppress(psycopg.OperationalError):
            connection.pgconn.consume_input()
            return False
        return True

    if client_hears:
        assert until(hears)
    else:
        time.sleep(0.1)
        assert not hears()
    rows = [(1,), (2,)] if arrives else [(1,)]
    assert until(lambda: server.sql("SELECT number FROM struck ORDER BY 1") == rows)
    assert server_is_left or until(lambda: server.sql(BACKENDS) == [])
    assert bool(server.sql(BACKENDS)) is server_is_left
    proxy.heal()
    assert until(lambda: server.sql(BACKENDS) == []), "healing leaves nothing open"
    connection.close()
    connect(server, proxy).close()


@pytest.mark.parametrize("message", ["startup", "sasl", "terminate"])
def test_what_is_no_statement_has_a_name_too(server, proxy, message) -> None:
    proxy.arm(Fault.CUT_BEFORE, matches=lambda text: text == message)
    with contextlib.suppress(psycopg.OperationalError):
        connect(server, proxy).close()
    assert proxy.wait_for_strike(5.0) == message
    assert proxy.seen == ["encryption", "startup", "sasl", "sasl", "terminate"][: len(proxy.seen)]


def test_a_pause_lasts_until_it_is_ended(server, proxy) -> None:
    connection = connect(server, proxy)
    proxy.arm(Fault.PAUSE)
    connection.pgconn.send_query(b"INSERT INTO struck VALUES (3)")
    assert proxy.wait_for_strike(5.0) == "INSERT INTO struck VALUES (3)"
    assert server.sql("SELECT count(*) FROM struck") == [(0,)]
    proxy.resume()
    assert until(lambda: server.sql("SELECT count(*) FROM struck") == [(1,)])
    connection.close()


def test_nothing_strikes_that_is_not_armed(server, proxy) -> None:
    proxy.arm(Fault.CUT_BEFORE)
    proxy.disarm()
    with connect(server, proxy) as connection:
        assert connection.execute("SELECT 1").fetchall() == [(1,)]
    assert proxy.wait_for_strike(0.0) is None


def test_refusing_and_cutting_all(server, proxy) -> None:
    connection = connect(server, proxy)
    proxy.refuse(True)
    with pytest.raises(psycopg.OperationalError):
        connect(server, proxy)
    assert connection.execute("SELECT 1").fetchall() == [(1,)]
    proxy.cut_all()
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    assert until(lambda: server.sql(BACKENDS) == [])
    proxy.heal()
    connect(server, proxy).close()


def test_a_connection_with_tls_is_passed_on_unseen() -> None:
    with postgres("15", tls=Authority().issue("localhost")) as secured, CuttingProxy(secured.port) as proxy:
        proxy.arm(Fault.CUT_BEFORE, matches=lambda text: text != "encryption")
        connection = connect(secured, proxy, sslmode="require")
        assert connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchall() == [(True,)]
        assert proxy.seen == ["encryption"]
        proxy.cut_all()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
        proxy.arm(Fault.CUT_BEFORE)
        with pytest.raises(psycopg.OperationalError):
            connect(secured, proxy, sslmode="require")
        assert proxy.struck == "encryption"
