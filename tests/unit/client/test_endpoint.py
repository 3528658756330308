"""Where the daemon is: arguments before the environment, the socket before the address, no token over open networks."""

from pathlib import Path

import pytest

from secretsd.client import Client
from secretsd.client.endpoint import DEFAULT_SOCKET, Endpoint
from secretsd.client.errors import ClientError
from secretsd.domain.sensitive import Plaintext

BOTH = {"SECRETSD_SOCKET": "/run/x.sock", "SECRETSD_ADDR": "http://127.0.0.1:1", "SECRETSD_TOKEN": "canary-token"}


def test_without_anything_said_it_is_the_socket_at_its_usual_place() -> None:
    assert Endpoint.choose().socket == DEFAULT_SOCKET
    assert Endpoint.choose(environment={}).socket == DEFAULT_SOCKET
    assert Endpoint.choose(environment={"SECRETSD_SOCKET": "", "SECRETSD_ADDR": ""}).socket == DEFAULT_SOCKET


def test_the_environment_is_only_read_when_it_is_given() -> None:
    found = Endpoint.choose(environment=BOTH)
    assert (found.socket, found.address, found.token) == (Path("/run/x.sock"), None, Plaintext(b"canary-token"))


def test_an_argument_goes_before_the_environment_whatever_its_sort() -> None:
    assert Endpoint.choose(address="http://[::1]:8200", environment=BOTH).base == "http://[::1]:8200"
    assert Endpoint.choose(socket="/run/y.sock", environment=BOTH).socket == Path("/run/y.sock")
    assert Endpoint.choose(token=Plaintext(b"mine"), environment=BOTH).token == Plaintext(b"mine")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"])
def test_plain_http_goes_to_loopback(host: str) -> None:
    assert Endpoint.choose(address=f"http://{host}:8200/").base == f"http://{host}:8200"


@pytest.mark.parametrize("address", ["http://10.0.0.1:8200", "http://secrets.example", "http://127.0.0.1.example:1"])
def test_plain_http_to_any_other_host_is_refused(address: str) -> None:
    with pytest.raises(ClientError, match="loopback only"):
        Endpoint.choose(address=address)
    assert Endpoint.choose(address=address.replace("http:", "https:")).base.startswith("https://")


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:8200", "ftp://127.0.0.1", "http://", "http://localhost/v1", "http://localhost:no", "http://[::1"],
)
def test_an_address_of_another_form_is_refused(address: str) -> None:
    with pytest.raises(ClientError, match="its form is http"):
        Endpoint.choose(address=address)


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(ClientError) as caught:
        Endpoint.choose(address="http://ann:canary@localhost:1")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "käse", "x" * 16385, "\x00"])
def test_a_token_that_no_header_can_carry_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(ClientError) as caught:
        Endpoint.choose(environment={"SECRETSD_TOKEN": token})
    assert token not in str(caught.value)


def test_the_token_is_in_no_repr() -> None:
    assert "canary" not in repr(Endpoint.choose(environment=BOTH))
    assert repr(Client(environment=BOTH)) == "Client('/run/x.sock')"
