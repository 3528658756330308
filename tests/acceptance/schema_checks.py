"""What schemathesis is told beside the document: loaded by its command line as its hooks."""

from typing import Any

import schemathesis

SHAPE = ("is not of the form", "is missing", "does not know", "is not a JSON object", "is given twice")


@schemathesis.check
def form_is_accepted(_context: Any, response: Any, case: Any) -> None:
    """What fits the document is never refused for its form; only rules between fields, or with what is stored, may."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code != 400:
        return
    detail = response.json()["detail"]
    if any(words in detail for words in SHAPE):
        raise AssertionError(f"what fits the document was refused for its form: {detail}")


@schemathesis.check
def problem_is_ours(_context: Any, response: Any, _case: Any) -> None:
    """Every error says its kind, its request id, and the status that it was sent with."""
    if response.status_code < 400:
        return
    body = response.json()
    assert response.headers["content-type"] == ["application/problem+json"]
    assert body["status"] == response.status_code
    assert body["detail"].startswith("cannot ")
    assert [body["request_id"]] == response.headers["x-request-id"]
