"""How a bearer token is made: 256 random bits for its holder, their digest for storage."""

import base64
import os

from secretsd.api.fields import TextValue
from secretsd.domain.principals import Token, User
from secretsd.operations.authenticator import TOKEN_PREFIX, token_digest
from secretsd.operations.ids import new_id


def new_token(user: User, now_ms: int, expires_ms: int | None) -> tuple[TextValue, Token]:
    """The token as its holder gets it, this once, and as storage keeps it."""
    shown = TextValue.from_text(TOKEN_PREFIX + base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("="))
    return shown, Token(token_digest(shown), new_id(), user.account, user.name, now_ms, expires_ms)
