"""Error kinds as the native dialect answers them: HTTP status by kind, problem+json (RFC 9457) without an echo."""

from typing import Any

import msgspec

from secretsd.domain.errors import ErrorKind, SecretsdError

STATUS: dict[ErrorKind, int] = {
    ErrorKind.INVALID_REQUEST: 400,
    ErrorKind.UNAUTHENTICATED: 401,
    ErrorKind.ACCESS_DENIED: 403,
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.ALREADY_EXISTS: 409,
    ErrorKind.CONFLICT: 409,
    ErrorKind.INVALID_STATE: 409,
    ErrorKind.KEY_DISABLED: 409,
    ErrorKind.INVALID_KEY_USAGE: 400,
    ErrorKind.INVALID_CIPHERTEXT: 400,
    ErrorKind.UNSUPPORTED: 400,
    ErrorKind.LIMIT_EXCEEDED: 409,
    ErrorKind.ROTATION_IN_PROGRESS: 503,
    ErrorKind.THROTTLED: 429,
    ErrorKind.KEYSTORE_UNAVAILABLE: 503,
    ErrorKind.STORAGE_UNAVAILABLE: 503,
    ErrorKind.INTERNAL: 500,
}
RETRY_AFTER_SECONDS = 1
BASIC = 'Basic realm="secretsd", charset="UTF-8"'
"""An access key as HTTP Basic (RFC 7617)."""
CHALLENGES = f'Bearer realm="secretsd", {BASIC}'
"""All that a request can show of itself (RFC 9110 section 11.6.1): a token, or an access key."""
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error on the wire. `kind` is stable, `detail` is for people; neither repeats what was sent."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    kind: str
    request_id: str


_encode = msgspec.json.encode


def problem(error: SecretsdError, request_id: str, status: int | None = None) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and further headers of the answer to an error; `status` replaces the kind's own."""
    code = status or STATUS[error.kind]
    body = Problem(title=TITLES[code], status=code, detail=error.message, kind=error.kind.value, request_id=request_id)
    headers: dict[str, str] = {}
    if code in (429, 503):
        headers["Retry-After"] = str(error.retry_after_seconds or RETRY_AFTER_SECONDS)
    if code == 401:
        headers["WWW-Authenticate"] = CHALLENGES
    return code, _encode(body), headers


def schema() -> dict[str, Any]:
    """The JSON Schema of an error."""
    (_,), components = msgspec.json.schema_components([Problem], ref_template="#/components/schemas/{name}")
    schema: dict[str, Any] = components["Problem"]
    return schema
