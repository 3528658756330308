"""Routes are matched on the raw path, and every route of the catalogue finds its own operation."""

import pytest

from secretsd.dialects.native.routes import MethodNotAllowed, Routes, decoded
from secretsd.domain.errors import InvalidRequest, NotFound
from secretsd.operations.catalogue import catalogue

ROUTES = Routes(catalogue().values())
ROUTED = [operation for operation in catalogue().values() if operation.route is not None]


@pytest.mark.parametrize("operation", ROUTED, ids=lambda operation: operation.name)
def test_every_route_leads_to_its_operation(operation) -> None:
    route = operation.route
    path = route.path.replace(f"{{{route.field}}}", "some/name")
    match = ROUTES.match(route.method, path)
    assert match.operation is operation
    assert match.name == ("some/name" if route.field else None)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/secrets/prod/db/app:value", "prod/db/app"),
        ("/v1/secrets/prod%2Fdb%2fapp:value", "prod/db/app"),
        ("/v1/secrets/a:b:value", "a:b"),  # the last literal colon; the name's own rules refuse the other
        ("/v1/secrets/a%3Ab:value", "a:b"),
        ("/v1/secrets/%25:value", "%"),
        ("/v1/secrets/%2525:value", "%25"),  # decoded once
        ("/v1/secrets//:value", "/"),
        ("/v1/secrets/:value", ""),
        ("/v1/secrets/\u00fc:value", "\u00fc"),
    ],
)
def test_names_out_of_paths(path: str, name: str) -> None:
    match = ROUTES.match("GET", path)
    assert (match.operation.name, match.name) == ("GetSecretValue", name)


@pytest.mark.parametrize(
    "path",
    ["", "/", "/v1", "/v1/", "/v2/secrets", "/v1/none", "/v1/none/a:value", "/v1/secrets/a:none", "/v1/secrets:none",
     "//v1/secrets", "/v1//secrets", "/V1/secrets", "*", "http://a/v1/secrets", "/v1/secrets/a%3Avalue/b:c",
     "/v1/secrets/" + "a" * 2048 + ":value"],
)  # fmt: skip
def test_nowhere(path: str) -> None:
    with pytest.raises(NotFound) as caught:
        ROUTES.match("GET", path)
    assert caught.value.message == "cannot find an operation at that path"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/secrets", "GET, POST"),
        ("HEAD", "/v1/secrets/a:value", "GET, PUT"),
        ("get", "/v1/caller-identity", "GET"),
    ],
)
def test_a_place_with_other_methods(method: str, path: str, allowed: str) -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        ROUTES.match(method, path)
    assert caught.value.allowed == allowed


@pytest.mark.parametrize("name", ["%", "%2", "a%", "%zz", "%C0%AF", "%ff", "%ED%A0%80", "%f0%28%8c%bc"])
def test_escapes_that_are_no_text(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decoded(name)
    assert name not in caught.value.message
