"""The fetcher of JWKS documents against real servers on loopback: what it takes, and what it does not put up with."""

import asyncio
import http.server
import threading
import zlib
from pathlib import Path

import pytest

from secretsd.adapters.jwks.fetcher import MAX_DOCUMENT_BYTES, JwksFetcher
from secretsd.ports.issuer_keys import KeysUnavailable
from secretsd.testing.authority import Authority
from secretsd.testing.jwks_server import JwksServer, send
from secretsd.testing.jwt_issuer import SigningKey, jwks

KEY = SigningKey.make("k1", "ES256")
Handler = http.server.BaseHTTPRequestHandler


def certified(tmp_path: Path, authority: Authority, *hosts: str) -> Path:
    path = tmp_path / "server.pem"
    path.write_text("".join(authority.issue(*hosts)))
    return path


def trusted(tmp_path: Path, authority: Authority) -> str:
    path = tmp_path / "ca.pem"
    path.write_text(authority.certificate)
    return str(path)


async def refusal(fetcher: JwksFetcher, url: str) -> str:
    with pytest.raises(KeysUnavailable) as failed:
        await fetcher.fetch(url)
    return failed.value.reason


@pytest.fixture
def local():
    return JwksFetcher(plain_loopback=True)


async def test_a_document_comes_as_it_is_over_https(tmp_path):
    authority = Authority()
    with JwksServer([KEY]).running(certified(tmp_path, authority, "127.0.0.1")) as server:
        fetched = await JwksFetcher(trusted(tmp_path, authority)).fetch(server.url)
    assert fetched == jwks(KEY).encode()


@pytest.mark.parametrize("hosts", [["localhost"], ["127.0.0.2"]])
async def test_a_certificate_for_another_host_is_no_use(tmp_path, hosts):
    authority = Authority()
    with JwksServer([KEY]).running(certified(tmp_path, authority, *hosts)) as server:
        said = await refusal(JwksFetcher(trusted(tmp_path, authority)), server.url)
    assert said == "it cannot be reached (ClientConnectorCertificateError)"
    assert server.asked == 0


async def test_a_certificate_of_an_unknown_authority_is_no_use(tmp_path):
    with JwksServer([KEY]).running(certified(tmp_path, Authority(), "127.0.0.1")) as server:
        for fetcher in (JwksFetcher(), JwksFetcher(trusted(tmp_path, Authority("another")))):
            assert "ClientConnectorCertificateError" in await refusal(fetcher, server.url)
        assert "cannot be read" in await refusal(JwksFetcher(str(tmp_path / "nothing.pem")), server.url)
    assert server.asked == 0


async def test_nothing_is_sent_along(local):
    seen = []

    def serve(handler: Handler) -> None:
        seen.append({name.lower(): value for name, value in handler.headers.items()})
        send(handler, b"{}", headers={"Set-Cookie": "a=b"})

    with JwksServer(serve=serve).running() as server:
        for _ in range(2):
            assert await local.fetch(server.url) == b"{}"
    assert all("cookie" not in headers and "authorization" not in headers for headers in seen)
    assert len(seen) == 2


async def test_no_redirect_is_followed(local):
    with JwksServer([KEY]).running() as other:
        for status in (301, 302, 303, 307, 308):
            answer = {"Location": other.url}
            serve = lambda handler, status=status, answer=answer: send(handler, b"", status, answer)  # noqa: E731  # short
            with JwksServer(serve=serve).running() as server:
                assert await refusal(local, server.url) == f"the answer is {status}"
        assert other.asked == 0


@pytest.mark.parametrize("status", [204, 400, 401, 403, 404, 429, 500, 503])
async def test_only_200_is_an_answer(local, status):
    with JwksServer(serve=lambda handler: send(handler, b"", status)).running() as server:
        assert await refusal(local, server.url) == f"the answer is {status}"


async def test_an_answer_has_a_greatest_size_whatever_it_says_of_itself(local):
    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b" " * 65536)
        except OSError:
            handler.close_connection = True

    with JwksServer(serve=lambda handler: send(handler, b" " * MAX_DOCUMENT_BYTES)).running() as server:
        assert len(await local.fetch(server.url)) == MAX_DOCUMENT_BYTES
    with JwksServer(serve=endless).running() as server:
        assert await refusal(local, server.url) == f"the answer is over {MAX_DOCUMENT_BYTES} bytes"


async def test_a_packed_answer_is_not_unpacked(local):
    def serve(handler: Handler) -> None:
        send(handler, zlib.compress(b" " * (100 * MAX_DOCUMENT_BYTES)), headers={"Content-Encoding": "deflate"})

    with JwksServer(serve=serve).running() as server:
        assert await refusal(local, server.url) == "the answer is packed"


@pytest.mark.parametrize("drip", [False, True])
async def test_the_deadline_is_for_the_whole_and_not_for_each_piece(drip):
    over = threading.Event()

    def serve(handler: Handler) -> None:
        if drip:
            handler.send_response(200)
            handler.end_headers()
        while not over.wait(0.02):
            if drip:
                try:
                    handler.wfile.write(b" ")
                except OSError:
                    return

    with JwksServer(serve=serve).running() as server:
        began = asyncio.get_running_loop().time()
        try:
            assert await refusal(JwksFetcher(plain_loopback=True, seconds=0.3), server.url) == "it takes too long"
            assert asyncio.get_running_loop().time() - began < 5
        finally:
            over.set()


async def test_a_server_that_is_away_or_hangs_up(local):
    with JwksServer().running() as server:
        url = server.url
    assert await refusal(local, url) == "it cannot be reached (ClientConnectorError)"

    def hang_up(handler: Handler) -> None:
        handler.close_connection = True

    with JwksServer(serve=hang_up).running() as server:
        assert (await refusal(local, server.url)).startswith("it cannot be reached (")


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.example/jwks", "http://localhost:80/jwks", "http://127.0.0.1.nip.io/", "http://10.0.0.1/",
        "http://[::2]/", "http://0.0.0.0/", "ftp://issuer.example", "file:///etc/passwd", "https://", "https:///jwks",
        "issuer.example/jwks", "", "https://ann:pw@issuer.example/", "https://ann@issuer.example/",
        "https://issuer.example/#x", "https://issuer.example/ x", "https://issuer.example/\n", "https://éxample.org/",
        "https://issuer.example:99999/", "https://" + "a" * 2048,
    ],
)  # fmt: skip
async def test_urls_that_nothing_is_fetched_from(local, url):
    why = local.refusal(url)
    assert why
    assert await refusal(local, url) == why


def test_http_is_for_loopback_where_the_settings_say_so(local):
    for url in ("http://127.0.0.1:8000/jwks", "http://[::1]/jwks", "http://127.1.2.3/"):
        assert local.refusal(url) is None
        assert JwksFetcher().refusal(url) == "it does not begin with https://"
    assert JwksFetcher().refusal("https://issuer.example:8443/openid/v1/jwks?x=y") is None
