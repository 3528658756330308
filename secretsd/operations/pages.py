"""Pages of lists: an opaque token says after which key the next page begins."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from secretsd.domain.errors import InvalidRequest

T = TypeVar("T")


def after(token: str | None) -> str:
    """The key that the page begins after; empty at the start. A token that we did not make raises InvalidRequest."""
    if token is None:
        return ""
    try:
        return base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise InvalidRequest("cannot go on with the list: next_token is not one of ours") from None


def token_for(key: str) -> str:
    """The token of the page after `key`."""
    return base64.urlsafe_b64encode(key.encode()).decode()


def page(found: Sequence[T], limit: int, key: Callable[[T], str]) -> tuple[Sequence[T], str | None]:
    """Of `limit + 1` items that were asked for: those to show, and the token of the next page if there is more."""
    if len(found) <= limit:
        return found, None
    shown = found[:limit]
    return shown, token_for(key(shown[-1]))
