"""Networks within networks."""

import pytest

from secretsd.domain.networks import is_part


@pytest.mark.parametrize(
    ("network", "of"),
    [
        ("192.0.2.0/24", ""), ("192.0.2.0/24", "192.0.2.0/24"), ("192.0.2.7/32", "192.0.2.0/24"),
        ("192.0.2.0/24", "0.0.0.0/0"), ("2001:db8:1::/48", "2001:db8::/32"), ("::/0", "::/0"),
    ],
)  # fmt: skip
def test_a_network_that_is_part_of_another(network: str, of: str) -> None:
    assert is_part(network, of)


@pytest.mark.parametrize(
    ("network", "of"),
    [
        ("192.0.2.0/23", "192.0.2.0/24"), ("192.0.3.0/24", "192.0.2.0/24"), ("0.0.0.0/0", "192.0.2.0/24"),
        ("192.0.2.0/24", "::/0"), ("::/0", "0.0.0.0/0"), ("2001:db8::/31", "2001:db8::/32"),
    ],
)  # fmt: skip
def test_one_that_is_not(network: str, of: str) -> None:
    assert not is_part(network, of)
