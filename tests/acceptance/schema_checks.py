"""What schemathesis is told beside the document: loaded by its command line as its hooks."""

from typing import Any

import schemathesis

OAUTH, FORM = "/v1/access-tokens", "application/x-www-form-urlencoded"
SHAPE = ("is not of the form", "is missing", "does not know", "is not a JSON object", "is given twice")


@schemathesis.check
def form_is_accepted(_context: Any, response: Any, case: Any) -> None:
    """What fits the document is never refused for its form; only rules between fields, or with what is stored, may."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code != 400:
        return
    body = response.json()
    detail = body["error_description"] if _of_oauth(case) else body["detail"]
    if any(words in detail for words in SHAPE):
        raise AssertionError(f"what fits the document was refused for its form: {detail}")


@schemathesis.check
def problem_is_ours(_context: Any, response: Any, case: Any) -> None:
    """Every error says its kind, its request id, and the status that it was sent with; OAuth's as RFC 6749 has them."""
    if response.status_code < 400:
        return
    body = response.json()
    if _of_oauth(case) and response.headers["content-type"] == ["application/json"]:
        assert set(body) == {"error", "error_description"}
        assert body["error_description"].startswith("cannot ")
        assert response.status_code in (400, 401, 429, 500, 503)
        return
    assert response.headers["content-type"] == ["application/problem+json"]
    assert body["status"] == response.status_code
    assert body["detail"].startswith("cannot ")
    assert [body["request_id"]] == response.headers["x-request-id"]


def _of_oauth(case: Any) -> bool:
    """Whether a form was sent to the one operation that reads forms."""
    return bool(case.operation.path == OAUTH and case.media_type == FORM)
