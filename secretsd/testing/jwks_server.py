"""A server on loopback that publishes the keys of an issuer of JWTs."""

import contextlib
import http.server
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from secretsd.testing.jwt_issuer import SigningKey, jwks

Serve = Callable[[http.server.BaseHTTPRequestHandler], None]


class JwksServer:
    """Serves a JWKS on loopback. `keys` may be changed while it runs; `serve`, where it is set, answers instead.

    `asked` counts the requests.
    """

    def __init__(self, keys: Sequence[SigningKey] = (), serve: Serve | None = None) -> None:
        self.keys = list(keys)
        self.serve = serve
        self.asked = 0
        self.url = ""

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        """Answer one GET."""
        self.asked += 1
        if self.serve is not None:
            self.serve(handler)
            return
        send(handler, jwks(*self.keys).encode())

    @contextlib.contextmanager
    def running(self, certificate: Path | None = None) -> Iterator["JwksServer"]:
        """Listen within the block: by https with a certificate and its key in one PEM file, by http without."""
        jwks_server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                jwks_server.answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{server.server_address[1]}/openid/v1/jwks"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def send(
    handler: http.server.BaseHTTPRequestHandler,
    body: bytes,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> None:
    """One whole answer."""
    handler.send_response(status)
    for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
