"""What can go wrong on this side of the wire, and how a refusal of the daemon becomes the error that it was."""

import re
from collections.abc import Mapping

import msgspec

from secretsd.domain import errors
from secretsd.domain.errors import ErrorKind, SecretsdError

PROBLEM = "application/problem+json"


class ClientError(SecretsdError):
    """cannot use the client like this"""


class DaemonUnavailable(ClientError):
    """cannot reach the daemon

    `sent` is False when the request surely never left. When it is True, a change may have happened or not.
    """

    def __init__(self, message: str | None = None, *, sent: bool, retry_after_seconds: int | None = None) -> None:
        super().__init__(message, retry_after_seconds=retry_after_seconds)
        self.sent = sent


class UnreadableAnswer(ClientError):
    """cannot read the daemon's answer"""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error as it comes over the wire; what else the document says is left unread."""

    kind: str
    detail: str = ""
    request_id: str = ""


BY_KIND: dict[ErrorKind, type[SecretsdError]] = {
    found.kind: found
    for found in vars(errors).values()
    if isinstance(found, type) and issubclass(found, SecretsdError) and found is not SecretsdError
}
# For a kind that a newer daemon has and this client does not know: the nearest one with the same meaning to a caller.
BY_STATUS: dict[int, type[SecretsdError]] = {
    400: errors.InvalidRequest,
    401: errors.Unauthenticated,
    403: errors.AccessDenied,
    404: errors.NotFound,
    409: errors.Conflict,
    429: errors.Throttled,
    503: errors.StorageUnavailable,
}
_REQUEST_ID = re.compile(r"[0-9a-f]{32}")
_decode_problem = msgspec.json.Decoder(Problem).decode


def refusal(operation: str, status: int, headers: Mapping[str, str], body: bytes) -> SecretsdError:
    """The error behind an answer that is none of the 2xx, with the daemon's own sentence.

    Its request id is added as a note, so that it can be found in the audit trail. An answer that is no problem
    document comes from something between us and the daemon: it becomes DaemonUnavailable or UnreadableAnswer.
    """
    retry_after = _seconds(headers.get("Retry-After"))
    problem = _problem(headers, body)
    if problem is None:
        if status in (502, 503, 504):
            return DaemonUnavailable(
                f"cannot reach the daemon for {operation}: what stands before it answers {status}",
                sent=True,
                retry_after_seconds=retry_after,
            )
        return UnreadableAnswer(f"cannot read the answer to {operation}: status {status} without a problem document")
    try:
        kind = BY_KIND[ErrorKind(problem.kind)]
    except ValueError:
        kind = BY_STATUS.get(status, errors.Internal)
    error = kind(problem.detail or None, retry_after_seconds=retry_after)
    if _REQUEST_ID.fullmatch(problem.request_id):
        error.add_note(f"request {problem.request_id}")
    return error


def _problem(headers: Mapping[str, str], body: bytes) -> Problem | None:
    if headers.get("Content-Type", "").partition(";")[0].strip().lower() != PROBLEM:
        return None
    try:
        return _decode_problem(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _seconds(text: str | None) -> int | None:
    """Retry-After as the daemon writes it. Its other form, a date, is left aside: our clocks may differ."""
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,6}", text) else None
