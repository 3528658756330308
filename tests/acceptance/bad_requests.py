"""Requests that are wrong, each in one way: what is sent, the status that answers it, a word that names the thing."""

MARK = "Zq7Xe"  # stands wherever something sent could be echoed
AUTH = b"@proof of identity@"  # replaced by the administrator's token, where the socket proves nobody


def request(target: str, *headers: str, method: str = "GET", body: bytes = b"", version: str = "HTTP/1.1") -> bytes:
    lines = [f"{method} {target} {version}", "Host: secretsd", *headers]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n" + AUTH + b"\r\n" + body


def json_request(body: bytes | str, target: str = "/v1/secrets", method: str = "POST", *headers: str) -> bytes:
    data = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    length = f"Content-Length: {len(data)}"
    return request(target, "Content-Type: application/json", length, *headers, method=method, body=data)


def chunked(*chunks: bytes) -> bytes:
    parts = [b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks]
    head = ("Content-Type: application/json", "Transfer-Encoding: chunked")
    return request("/v1/secrets", *head, method="POST", body=b"".join(parts) + b"0\r\n\r\n")


LARGE = b'{"name": "x", "text": "%s"}' % (MARK.encode() * 120_000)
CREATE = '{{"name": "{}", "text": "x"}}'

# What is sent, what comes back, and a word that the detail must have so that it names the thing.
BODIES = {
    "no JSON": (json_request(f'{{"name": "{MARK}'), 400, "body"),
    "JSON that is no object": (json_request(f'["{MARK}"]'), 400, "object"),
    "JSON cut within an escape": (json_request(f'{{"name": "{MARK}\\u12'), 400, "object"),
    "two documents": (json_request(f'{{"name": "a"}}{{"name": "{MARK}"}}'), 400, "object"),
    "not UTF-8": (json_request(b'{"name": "\xff' + MARK.encode() + b'"}'), 400, "object"),
    "overlong UTF-8": (json_request(b'{"name": "\xc0\xaf' + MARK.encode() + b'"}'), 400, "object"),
    "UTF-16": (json_request(f'{{"name": "{MARK}"}}'.encode("utf-16")), 400, "object"),
    "a lone surrogate": (json_request(f'{{"name": "a", "text": "\\ud800{MARK}"}}'), 400, "body"),
    "nesting without end": (json_request(b'{"tags": ' + b'{"a":' * 100_000), 400, "object"),
    "a number in the place of a text": (json_request('{"name": 987651234}'), 400, "name"),
    "an object in the place of a value": (json_request(f'{{"name": "a", "text": {{"{MARK}": 1}}}}'), 400, "text"),
    "null for a name": (json_request('{"name": null}'), 400, "name"),
    "no name": (json_request(f'{{"description": "{MARK}"}}'), 400, "name"),
    "an unknown field": (json_request(f'{{"name": "a", "{MARK}": 1}}'), 400, "field"),
    "text and binary": (json_request(f'{{"name": "a", "text": "{MARK}", "binary": "YQ=="}}'), 400, "text"),
    "no base64": (json_request(f'{{"name": "a", "binary": "*{MARK}"}}'), 400, "binary"),
    "a value over 64 KiB": (json_request(f'{{"name": "a", "text": "{MARK * 14_000}"}}'), 409, "value"),
    "another content type": (
        request("/v1/secrets", f"Content-Type: text/{MARK}", "Content-Length: 2", method="POST", body=b"{}"),
        400,
        "content type",
    ),
    "an encoded body": (json_request(CREATE.format("a"), "/v1/secrets", "POST", "Content-Encoding: gzip"), 400, "enc"),
    "a body where none belongs": (json_request(f'{{"{MARK}": 1}}', "/v1/secrets", "GET"), 400, "body"),
    "a name in path and body": (
        json_request(f'{{"name": "{MARK}", "text": "x"}}', "/v1/secrets/a:value", "PUT"),
        400,
        "name",
    ),
    "a body over the limit": (json_request(LARGE), 413, "body"),
    "a length over the limit and nothing else": (
        request("/v1/secrets", "Content-Length: 99999999999", method="POST"),
        413,
        "body",
    ),
    "a chunked body over the limit": (chunked(*[LARGE[:50_000]] * 12), 413, "body"),
    "a chunk without a size": (
        request("/v1/secrets", "Transfer-Encoding: chunked", method="POST", body=f"{MARK}\r\n".encode()),
        400,
        "",
    ),
    "a chunk of negative size": (
        request("/v1/secrets", "Transfer-Encoding: chunked", method="POST", body=f"-5\r\n{MARK}\r\n".encode()),
        400,
        "",
    ),
}

NAMES = {
    "a space": f"a {MARK}",
    "a line break": f"a\\n{MARK}",
    "a final line break": f"{MARK}\\n",
    "a colon": f"{MARK}:value",
    "NUL": f"{MARK}\\u0000",
    "two dots": f"../{MARK}",
    "dots within": f"a/../{MARK}",
    "a dot": f"./{MARK}",
    "an empty segment": f"a//{MARK}",
    "a slash in front": f"/{MARK}",
    "a slash at the end": f"{MARK}/",
    "a percent": f"a%2F{MARK}",
    "another alphabet": f"\u0430{MARK}",
    "513 characters": MARK + "a" * 508,
    "nothing": "",
}
BODIES |= {f"a name with {what}": (json_request(CREATE.format(name)), 400, "name") for what, name in NAMES.items()}

PATHS = {
    "an unknown place": (f"/v1/{MARK}", 404),
    "outside of /v1": (f"/{MARK}", 404),
    "an unknown verb": (f"/v1/secrets/a:{MARK}", 404),
    "%3A for the colon": (f"/v1/secrets/{MARK}%3Avalue", 400),
    "%00": (f"/v1/secrets/{MARK}%00:value", 400),
    "overlong slash": (f"/v1/secrets/{MARK}%C0%AFa:value", 400),
    "no UTF-8": (f"/v1/secrets/{MARK}%FF:value", 400),
    "half an escape": (f"/v1/secrets/{MARK}%2:value", 400),
    "escape of no digits": (f"/v1/secrets/{MARK}%zz:value", 400),
    "..": (f"/v1/secrets/a/../{MARK}:value", 400),
    "%2e%2e": (f"/v1/secrets/a/%2e%2e/{MARK}:value", 400),
    "//": (f"/v1/secrets/a//{MARK}:value", 400),
    "%2F%2F": (f"/v1/secrets/a%2F%2F{MARK}:value", 400),
    "a slash at the end": (f"/v1/secrets/{MARK}/:value", 400),
    "no name": ("/v1/secrets/:value", 400),
    "a name twice escaped": (f"/v1/secrets/{MARK}%252F:value", 400),
    "a backslash": (f"/v1/secrets/{MARK}\\:value", 400),
    "an unknown query field": (f"/v1/secrets?{MARK}=1", 400),
    "a query without a name": (f"/v1/secrets?{MARK}", 400),
    "a limit that is no number": (f"/v1/secrets?limit={MARK}", 400),
    "a limit of zero": ("/v1/secrets?limit=0", 400),
    "a field twice": ("/v1/secrets?limit=1&limit=2", 400),
    "null": ("/v1/events?to_ms=null", 400),
    "a query that is no UTF-8": (f"/v1/secrets?prefix={MARK}%ff", 400),
    "a fragment": (f"/v1/secrets#{MARK}", 400),
    "a query where none belongs": (f"/v1/passwords:random?{MARK}=1", 405),
    "a page token of nobody": (f"/v1/secrets?next_token={MARK}", 400),
    "a whole URL": (f"http://{MARK}/v1/secrets", 404),
    "2,049 characters": ("/v1/secrets/" + MARK * 420, 404),
    "bytes over 127": (f"/v1/secrets/\udcff{MARK}", 400),
    "letters over 127": (f"/v1/secrets/ü{MARK}", 400),
}
PLACES = {f"path: {what}": (request(path), status, "") for what, (path, status) in PATHS.items()}

METHODS = {
    f"{method} on {path}": (request(path, method=method), 405, "method")
    for method, path in (
        ("POST", "/v1/secrets/a:value"),
        ("PUT", "/v1/keys"),
        ("TRACE", "/v1/secrets"),
        ("OPTIONS", "/v1/secrets"),
        ("PROPFIND", "/v1/secrets"),
        ("DELETE", "/v1/health"),
        ("POST", "/metrics"),
        ("PATCH", "/v1/openapi.json"),
    )
}

NOT_HTTP = {
    "an unknown method": (request("/v1/secrets", method=MARK), 400),
    "a lower-case method": (request("/v1/secrets", method="get"), 400),
    "CONNECT": (request(f"{MARK}:443", method="CONNECT"), 400),
    "HTTP/0.9": (f"GET /v1/{MARK}\r\n\r\n".encode(), 400),
    "HTTP/1.2": (request(f"/{MARK}", version="HTTP/1.2"), 400),
    "HTTP/2 in words": (request(f"/{MARK}", version="HTTP/2.0"), 400),
    "HTTP/2's preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + MARK.encode() * 100, 400),
    "an SSH banner": (f"SSH-2.0-{MARK}\r\n".encode(), 400),
    "binary junk": (bytes(range(128, 256)) * 40 + MARK.encode(), 400),
    "zeros": (bytes(5000), 400),
    "no Host": (f"GET /v1/secrets HTTP/1.1\r\nX: {MARK}\r\n\r\n".encode(), 400),
    "two Hosts": (request("/v1/secrets", f"Host: {MARK}"), 400),
    "an upgrade": (request("/v1/secrets", "Connection: Upgrade", f"Upgrade: {MARK}"), 400),
    "a WebSocket": (request("/v1/secrets", "Connection: Upgrade", "Upgrade: websocket"), 400),
    "a header without a colon": (request("/v1/secrets", MARK), 400),
    "a header name with a space": (request("/v1/secrets", f"{MARK} : a"), 400),
    "a NUL in a header": (request("/v1/secrets", f"X: \x00{MARK}"), 400),
    "obs-fold": (request("/v1/secrets", "X: a", f" {MARK}"), 400),
    "a bare LF": (f"GET /v1/secrets HTTP/1.1\nHost: {MARK}\n\n".encode(), 400),
    "a bare CR": (f"GET /v1/secrets HTTP/1.1\rHost: {MARK}\r\r".encode(), 400),
    "a bare LF between headers": (f"GET /v1/secrets HTTP/1.1\r\nX: {MARK}\nHost: a\r\n\r\n".encode(), 400),
    "both length and chunks": (
        request("/v1/secrets", "Content-Length: 4", "Transfer-Encoding: chunked", method="POST", body=b"0\r\n\r\n"),
        400,
    ),
    "two lengths": (
        request("/v1/secrets", "Content-Length: 4", "Content-Length: 5", method="POST", body=b"abcde"),
        400,
    ),
    "the same length twice": (
        request("/v1/secrets", "Content-Length: 2", "Content-Length: 2", method="POST", body=b"{}"),
        400,
    ),
    "a length with a sign": (request("/v1/secrets", "Content-Length: +2", method="POST", body=b"{}"), 400),
    "a length of words": (request("/v1/secrets", f"Content-Length: {MARK}", method="POST", body=b"{}"), 400),
    "chunked not last": (request("/v1/secrets", "Transfer-Encoding: chunked, gzip", method="POST"), 400),
    "gzip and chunked": (
        request("/v1/secrets", "Transfer-Encoding: gzip, chunked", method="POST", body=b"0\r\n\r\n"),
        400,
    ),
    "chunked in HTTP/1.0": (
        request("/v1/secrets", "Transfer-Encoding: xchunked", method="POST", body=b"0\r\n\r\n"),
        400,
    ),
    "two proofs of identity": (request("/v1/secrets", f"Authorization: Bearer {MARK}", "Authorization: Bearer b"), 400),
    "a line without end": (request("/" + MARK * 1700), 431),
    "a header without end": (request("/v1/secrets", "X: " + MARK * 3400), 431),
    "too many headers": (request("/v1/secrets", *[f"X-{number}: {MARK}" for number in range(100)]), 431),
}
REFUSED = {what: (sent, status, "") for what, (sent, status) in NOT_HTTP.items()}

CASES = BODIES | PLACES | METHODS | REFUSED
