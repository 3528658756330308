"""Policy documents for tests, from statements as short as tests want them."""

import json
from typing import Any

_NAMES = {"not_action": "NotAction", "not_resource": "NotResource"}


def document(*statements: dict[str, Any]) -> str:
    """The text of a document of statements such as {"effect": "Allow", "action": ["*"], "resource": ["*"]}."""
    listed = [
        {_NAMES.get(name, name.capitalize()): value for name, value in statement.items()} for statement in statements
    ]
    return json.dumps({"Version": "1", "Statement": listed})
