"""Ports for servers that tests start: out of the way of what the kernel gives to connections, while it leaves any."""

import pytest

from secretsd.testing.postgres import free_port, free_ports


@pytest.mark.parametrize("first", [1024, 10_000, 15_000, 15_001, 16_000, 32_768, 60_000])
@pytest.mark.parametrize("last", [60_999, 65_000, 65_535])
def test_there_are_enough_and_none_is_given_to_connections_where_that_can_be(first: int, last: int) -> None:
    ports = free_ports(first, last)
    assert len(ports) >= 1_000
    assert ports[0] >= 15_000
    assert ports[-1] <= 65_535
    left = max(first - 15_000, 65_535 - last)
    assert left < 1_000 or not set(ports) & set(range(first, last + 1))


def test_a_port_is_found() -> None:
    assert 15_000 <= free_port() <= 65_535
