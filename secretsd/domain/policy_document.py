"""Policy documents: JSON as RAM and IAM write it, read with the line of what is wrong, and shown again."""

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

from secretsd.domain import conditions
from secretsd.domain.condition_keys import CONDITION_KEYS, condition_key
from secretsd.domain.conditions import Condition
from secretsd.domain.errors import InvalidRequest
from secretsd.domain.located_json import Located, Number, Refused, located
from secretsd.domain.patterns import MAX_PATTERN_LENGTH, glob, is_resource_pattern
from secretsd.domain.policy import MAX_PATTERNS, MAX_STATEMENTS, Effect, Statement
from secretsd.domain.policy_rules import is_principal

MAX_DOCUMENT_BYTES = 32_768
MAX_CONDITIONS = 50
MAX_SID_LENGTH = 128
VERSION = "1"


class DocumentKind(Enum):
    """Whose policy it is, and so which elements its statements have."""

    IDENTITY = "identity"
    RESOURCE = "resource"
    TRUST = "trust"


class InvalidPolicy(InvalidRequest):
    """A document that cannot be accepted: says the line, what is wrong and what was perhaps meant; never its text."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"cannot accept the policy, line {line}: {problem}")
        self.line = line
        self.problem = problem


_ELEMENTS = ("Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "NotResource", "Condition")


def read(text: str, permissions: Iterable[str], kind: DocumentKind = DocumentKind.IDENTITY) -> tuple[Statement, ...]:
    """The statements of a document of up to 32 KiB; InvalidPolicy. `permissions` are all names that Action may match.

    A resource's policy may leave out Resource, which can only be the resource itself (`*`).
    """
    if len(text.encode(errors="surrogatepass")) > MAX_DOCUMENT_BYTES:
        raise InvalidPolicy(1, f"it is longer than {MAX_DOCUMENT_BYTES} bytes")
    try:
        document = located(text)
    except json.JSONDecodeError as error:
        raise InvalidPolicy(error.lineno, "it is no JSON") from None
    except Refused as error:
        raise InvalidPolicy(error.line, error.problem) from None
    top = _object(document, "the document")
    _known(document, top, ("Version", "Statement"), "an element of a policy")
    if "Version" not in top or top["Version"].value != VERSION:
        raise InvalidPolicy(document.line, f'it has no "Version": "{VERSION}"')
    if "Statement" not in top:
        raise InvalidPolicy(document.line, "it has no Statement")
    listed = top["Statement"]
    statements = listed.value if isinstance(listed.value, list) else [listed]
    if not 1 <= len(statements) <= MAX_STATEMENTS:
        raise InvalidPolicy(listed.line, f"a policy has 1 to {MAX_STATEMENTS} statements")
    names = tuple(permissions)
    return tuple(_statement(statement, names, kind) for statement in statements)


def _statement(found: Located, permissions: Sequence[str], kind: DocumentKind) -> Statement:
    parts = _object(found, "a statement")
    _known(found, parts, _ELEMENTS, "an element of a statement")
    effect = parts.get("Effect")
    if effect is None or effect.value not in ("Allow", "Deny"):
        raise InvalidPolicy((effect or found).line, "Effect is Allow or Deny")
    actions, not_actions = _either(found, parts, "Action")
    for line, action in (*actions, *not_actions):
        if not any(map(glob(action), permissions)):
            raise InvalidPolicy(line, f"an action matches no operation{_perhaps(action, permissions)}")
    resources, not_resources = _resources(found, parts, kind)
    return Statement(
        Effect(effect.value),
        _texts(actions),
        _texts(resources),
        _sid(parts),
        _texts(not_actions),
        _texts(not_resources),
        _principals(found, parts, kind),
        tuple(_conditions(parts["Condition"])) if "Condition" in parts else (),
    )


def _resources(found: Located, parts: Mapping[str, Located], kind: DocumentKind) -> tuple[list[Any], list[Any]]:
    if kind is DocumentKind.IDENTITY:
        resources, others = _either(found, parts, "Resource")
        for line, resource in (*resources, *others):
            if not is_resource_pattern(resource):
                raise InvalidPolicy(
                    line,
                    "a resource is the glob of a path such as secret/prod/*, or secretsd:<account>:<path> with an "
                    "account of twelve digits or system",
                )
            _no_variables(line, resource)
        return resources, others
    for name in ("Resource", "NotResource"):
        if name in parts and (name == "NotResource" or _texts(_strings(parts[name], name)) != ("*",)):
            raise InvalidPolicy(parts[name].line, "the policy of a resource speaks of itself: leave Resource out")
    return [(found.line, "*")], []


def _principals(found: Located, parts: Mapping[str, Located], kind: DocumentKind) -> tuple[str, ...]:
    written = parts.get("Principal")
    if kind is DocumentKind.IDENTITY:
        if written is not None:
            raise InvalidPolicy(written.line, "whom it is attached to is its principal: leave Principal out")
        return ()
    if written is None:
        raise InvalidPolicy(found.line, "the policy of a resource says in Principal to whom it speaks")
    strings = _strings(written, "Principal")
    for line, principal in strings:
        if not is_principal(principal):
            raise InvalidPolicy(
                line,
                "a principal is *, an account of twelve digits, or secretsd:<account>:user/<name> or …:role/<name>",
            )
    return _texts(strings)


def _conditions(found: Located) -> Iterable[Condition]:
    by_operator = _object(found, "Condition")
    counted = 0
    for written, keys in by_operator.items():
        operator = conditions.operator(written)
        if operator is None:
            raise InvalidPolicy(keys.line, f"there is no such operator{_perhaps(written, conditions.OPERATORS)}")
        for name, values in _object(keys, "an operator's conditions").items():
            counted += 1
            if counted > MAX_CONDITIONS:
                raise InvalidPolicy(values.line, f"a statement has at most {MAX_CONDITIONS} conditions")
            yield _condition(written, operator, name, values)


def _condition(written: str, operator: conditions.Operator, name: str, values: Located) -> Condition:
    key = condition_key(name)
    if key is None:
        meant = _perhaps(name, (f"{known}/…" if CONDITION_KEYS[known].family else known for known in CONDITION_KEYS))
        raise InvalidPolicy(values.line, f"there is no such condition key{meant}")
    if operator.type is not None and operator.type is not key.type:
        raise InvalidPolicy(values.line, f"values of this key go with {key.type.value}… operators")
    if key.many and operator.type is not None and not operator.quantifier:
        raise InvalidPolicy(values.line, "a request has many values of this key: say ForAnyValue: or ForAllValues:")
    strings = _strings(values, "the values of a condition", scalars=True)
    if operator.type is None and len(strings) != 1:
        raise InvalidPolicy(values.line, "Null takes one value, true or false")
    for line, value in strings:
        _no_variables(line, value)
        if not conditions.readable(operator.name, value):
            raise InvalidPolicy(line, f"{operator.name} cannot be given such a value")
        if key.values and not conditions.may_match(operator.name, value, key.values):
            raise InvalidPolicy(line, f"no request has such a value of this key{_perhaps(value, key.values)}")
    return Condition(written, name, _texts(strings))


def _either(found: Located, parts: Mapping[str, Located], name: str) -> tuple[list[Any], list[Any]]:
    """The strings of an element, or of the one that stands for all others."""
    if (name in parts) == (f"Not{name}" in parts):
        raise InvalidPolicy(found.line, f"a statement has either {name} or Not{name}")
    if name in parts:
        return _strings(parts[name], name), []
    return [], _strings(parts[f"Not{name}"], f"Not{name}")


def _strings(found: Located, what: str, scalars: bool = False) -> list[tuple[int, str]]:
    """One string or a list of them, each with its line; `scalars` lets numbers and bools stand for what is written."""
    listed = found.value if isinstance(found.value, list) else [found]
    if not 1 <= len(listed) <= MAX_PATTERNS:
        raise InvalidPolicy(found.line, f"{what} has 1 to {MAX_PATTERNS} entries")
    strings = []
    for one in listed:
        value = one.value
        if scalars and isinstance(value, bool | Number):
            value = value.text if isinstance(value, Number) else str(value).lower()
        if not isinstance(value, str) or not 1 <= len(value) <= MAX_PATTERN_LENGTH:
            raise InvalidPolicy(one.line, f"{what} is made of strings of 1 to {MAX_PATTERN_LENGTH} characters")
        strings.append((one.line, value))
    return strings


def _texts(strings: Iterable[tuple[int, str]]) -> tuple[str, ...]:
    return tuple(text for _, text in strings)


def _sid(parts: Mapping[str, Located]) -> str:
    found = parts.get("Sid")
    if found is None:
        return ""
    if not isinstance(found.value, str) or not 1 <= len(found.value) <= MAX_SID_LENGTH:
        raise InvalidPolicy(found.line, f"Sid is a string of 1 to {MAX_SID_LENGTH} characters")
    return found.value


def _no_variables(line: int, text: str) -> None:
    # Kept free: what would be taken literally today must not come to mean something else tomorrow.
    if "${" in text:
        raise InvalidPolicy(line, "there are no variables in policies: ${ cannot be written")


def _object(found: Located, what: str) -> dict[str, Located]:
    if not isinstance(found.value, dict):
        raise InvalidPolicy(found.line, f"{what} is a JSON object")
    return found.value


def _known(found: Located, parts: Mapping[str, Located], known: Sequence[str], what: str) -> None:
    for name, part in parts.items():
        if name not in known:
            raise InvalidPolicy(
                part.line, f"there is no such element{_perhaps(name, known)}; {what} is {_any_of(known)}"
            )


def _any_of(known: Sequence[str]) -> str:
    return ", ".join(known[:-1]) + f" or {known[-1]}"


def _perhaps(written: str, known: Iterable[str]) -> str:
    """A hint that names the known word alone, in case what was written was meant so."""
    quantifier, colon, name = written[:200].rpartition(":")
    if quantifier not in conditions.QUANTIFIERS:
        quantifier, colon, name = "", "", written[:200]
    close = difflib.get_close_matches(name, list(known), 1, 0.6)
    return f'; perhaps "{quantifier}{colon}{close[0]}" is meant' if close else ""


def shown(statements: Iterable[Statement]) -> dict[str, Any]:
    """The document of these statements, every element as a list; `read` makes the same statements of it again."""
    return {"Version": VERSION, "Statement": [_shown(statement) for statement in statements]}


def text(statements: Iterable[Statement]) -> str:
    """The document as text."""
    return json.dumps(shown(statements), indent=2, ensure_ascii=False)


def _shown(statement: Statement) -> dict[str, Any]:
    by_operator: dict[str, dict[str, list[str]]] = {}
    for condition in statement.conditions:
        by_operator.setdefault(condition.operator, {})[condition.key] = list(condition.values)
    elements = {
        "Sid": statement.sid,
        "Effect": statement.effect.value,
        "Principal": list(statement.principals),
        "Action": list(statement.actions),
        "NotAction": list(statement.not_actions),
        "Resource": list(statement.resources),
        "NotResource": list(statement.not_resources),
        "Condition": by_operator,
    }
    return {name: value for name, value in elements.items() if value}
