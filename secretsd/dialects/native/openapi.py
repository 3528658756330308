"""The OpenAPI 3.1 document, derived from the declared operations."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from secretsd import __version__
from secretsd.api.fields import value_schema
from secretsd.dialects.native import errors, oauth
from secretsd.dialects.native.dialect import JSON, PROBLEM, Page
from secretsd.dialects.native.event_stream import EVENT_STREAM
from secretsd.dialects.native.requests import RESUME_FIELD, RESUME_HEADER
from secretsd.operations.registry import Operation

REF = "#/components/schemas/{name}"
ERROR_STATUSES = tuple(sorted({*errors.STATUS.values(), 405, 408, 413, 431}))


def document(operations: Mapping[str, Operation]) -> dict[str, Any]:
    """The document as plain data."""
    routed = [operation for operation in operations.values() if operation.route is not None]
    types = {kind for operation in routed for kind in (operation.request, operation.response)}
    ordered = sorted(types, key=lambda kind: kind.__name__)
    _, components = msgspec.json.schema_components(ordered, schema_hook=value_schema, ref_template=REF)
    components = {**components, "Problem": errors.schema()}
    paths: dict[str, Any] = {}
    for operation in sorted(routed, key=lambda one: one.name):
        route = operation.route
        if route is not None:
            paths.setdefault(route.path, {})[route.method.lower()] = _operation(operation, components)
    bodies = {operation.request.__name__ for operation in routed}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "secretsd",
            "version": __version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "Native API. Names keep their slashes in paths; the last literal colon starts the verb.",
        },
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in sorted(components.items()) if name not in bodies},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "access_key": {"type": "http", "scheme": "basic"},
            },
        },
        "security": [{"token": []}, {"access_key": []}, {}],
    }


def document_page(operations: Mapping[str, Operation]) -> Page:
    """`GET /v1/openapi.json`."""
    body = text(operations).encode()
    return lambda: (200, JSON, body)


def text(operations: Mapping[str, Operation]) -> str:
    """The document as it is committed and served."""
    return json.dumps(document(operations), indent=2, ensure_ascii=False, default=list) + "\n"


def _operation(operation: Operation, components: Mapping[str, Any]) -> dict[str, Any]:
    route = operation.route
    assert route is not None  # noqa: S101  # the caller filters; this is for the type checker
    schema = components[operation.request.__name__]
    properties = dict(schema["properties"])
    required = [name for name in schema.get("required", []) if name != route.field]
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary.splitlines()[0],
        "description": f"{operation.summary}\n\n{schema.get('description', '')}".strip(),
        "parameters": [],
    }
    if route.field is not None:
        path_schema = properties.pop(route.field)
        described["parameters"].append(
            {"name": route.field, "in": "path", "required": True, "allowReserved": True, "schema": path_schema}
        )
    if route.method in ("GET", "DELETE"):
        for name, field in properties.items():
            described["parameters"].append(
                {"name": name, "in": "query", "required": name in required, "schema": _without_null(field)}
            )
    else:
        body: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
        if required:
            body["required"] = required
        described["requestBody"] = {"required": bool(required), "content": {JSON: {"schema": body}}}
        if operation.name == oauth.OPERATION:
            described["requestBody"]["content"][oauth.FORM] = {"schema": oauth.form_schema(properties)}
    if operation.streams:
        resume = _without_null(properties[RESUME_FIELD])
        described["parameters"].append({"name": RESUME_HEADER, "in": "header", "required": False, "schema": resume})
    described["responses"] = {
        "200": _events(operation) if operation.streams else _answer(operation),
        **{
            str(status): {
                "description": errors.TITLES[status],
                "content": _problem(operation),
            }
            for status in ERROR_STATUSES
        },
    }
    return described


def _problem(operation: Operation) -> dict[str, Any]:
    content: dict[str, Any] = {PROBLEM: {"schema": {"$ref": REF.format(name="Problem")}}}
    if operation.name == oauth.OPERATION:
        content[JSON] = {"schema": oauth.error_schema()}
    return content


def _answer(operation: Operation) -> dict[str, Any]:
    return {
        "description": operation.response.__doc__ or "Done.",
        "content": {JSON: {"schema": {"$ref": REF.format(name=operation.response.__name__)}}},
    }


def _events(operation: Operation) -> dict[str, Any]:
    """A stream; as OpenAPI 3.1 is read, the schema of a media type of events is that of each of them."""
    item = operation.response.__name__
    event = {
        "type": "object",
        "properties": {"id": {"type": "string"}, "event": {"type": "string"}, "data": {"type": "string"}},
        "if": {"properties": {"event": {"const": "bye"}}, "required": ["event"]},
        "then": {"properties": {"data": _json({"type": "object", "properties": {"reason": {"type": "string"}}})}},
        "else": {"properties": {"data": _json({"$ref": REF.format(name=item)})}},
    }
    return {
        "description": (
            f"Server-sent events without an end. The `data` of each is a {item}, but that of the last, `bye`, says why "
            "it ends. An event with an `id` means that all before it have arrived."
        ),
        "content": {EVENT_STREAM: {"schema": event}},
    }


def _json(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"contentMediaType": JSON, "contentSchema": schema}


def _without_null(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A query field that is not given is left out: there is no null in a query."""
    choices = schema.get("anyOf")
    if not choices:
        return schema
    kept = [choice for choice in choices if choice != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name not in ("anyOf", "default")}
    return {**kept[0], **rest} if len(kept) == 1 else {**rest, "anyOf": kept}
