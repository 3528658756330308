"""The renderer's text says what the registry says, and its methods make the requests that they promise."""

import inspect
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from secretsd.api.fields import Request, Response
from secretsd.client._generated_calls import ROUTES, GeneratedCalls
from secretsd.dialects.native.client_calls import method_name, render
from secretsd.operations.catalogue import catalogue
from secretsd.operations.registry import Operation

ROUTED = {name: one for name, one in catalogue().items() if one.route is not None}


class Recorder(GeneratedCalls):
    """Keeps what a method would call, instead of calling it."""

    def __init__(self) -> None:
        self.called: list[tuple[str, Request, type[Response]]] = []

    async def exchange(self, operation: str, request: Request, answer: type[Any]) -> Any:
        self.called.append((operation, request, answer))

    async def stream(self, operation: str, request: Request, answer: type[Any]) -> AsyncIterator[Any]:
        self.called.append((operation, request, answer))
        yield None

    async def use(self, method: str, **given: Any) -> None:
        """Call the method, and take the first item where the answer goes on."""
        made = getattr(self, method)(**given)
        await (anext(made) if isinstance(made, AsyncIterator) else made)


def test_every_operation_with_a_route_is_there_and_no_step_of_scheduled_work() -> None:
    assert set(ROUTES) == set(ROUTED)
    assert list(ROUTES) == sorted(ROUTES)


@pytest.mark.parametrize("name", ROUTED)
def test_the_client_knows_the_route_as_it_was_declared(name: str) -> None:
    declared = ROUTED[name].route
    assert declared is not None
    route = ROUTES[name]
    assert (route.method, route.path, route.field) == (declared.method, declared.path, declared.field)
    assert (route.request, route.response) == (ROUTED[name].request, ROUTED[name].response)
    assert route.streams == ROUTED[name].streams


@pytest.mark.parametrize("name", ROUTED)
async def test_a_method_passes_on_each_of_its_arguments(name: str) -> None:
    recorder = Recorder()
    method = getattr(recorder, method_name(name))
    given = {one: object() for one in inspect.signature(method).parameters}
    await recorder.use(method.__name__, **given)
    ((operation, request, answer),) = recorder.called
    assert (operation, type(request), answer) == (name, ROUTED[name].request, ROUTED[name].response)
    assert {one: getattr(request, one) for one in given} == given
    assert set(given) == set(type(request).__struct_fields__)


@pytest.mark.parametrize("name", ROUTED)
async def test_what_is_left_out_is_what_the_request_itself_leaves_out(name: str) -> None:
    recorder = Recorder()
    method = getattr(recorder, method_name(name))
    required = [p.name for p in inspect.signature(method).parameters.values() if p.default is inspect.Parameter.empty]
    await recorder.use(method.__name__, **dict.fromkeys(required, "x"))
    request = recorder.called[0][1]
    bare = type(request)(**dict.fromkeys(required, "x"))
    assert [getattr(request, f) for f in request.__struct_fields__] == [
        getattr(bare, f) for f in bare.__struct_fields__
    ]


@pytest.mark.parametrize(
    "name", [n for n, one in ROUTED.items() if one.route and one.route.method in ("GET", "DELETE")]
)
def test_what_goes_into_a_query_is_made_of_words_numbers_and_switches(name: str) -> None:
    """A nested part has no form in a query, so no such operation may have one."""

    def plain(kind: Any) -> bool:
        if isinstance(kind, msgspec.inspect.Metadata):
            return plain(kind.type)
        if isinstance(kind, msgspec.inspect.UnionType):
            return all(map(plain, kind.types))
        if isinstance(kind, msgspec.inspect.VarTupleType):
            return plain(kind.item_type)
        kinds = msgspec.inspect
        return isinstance(kind, (kinds.StrType, kinds.IntType, kinds.BoolType, kinds.NoneType, kinds.LiteralType))

    found = msgspec.inspect.type_info(ROUTED[name].request)
    assert isinstance(found, msgspec.inspect.StructType)
    assert all(plain(field.type) for field in found.fields)


def test_a_new_operation_appears_in_the_text() -> None:
    class RenameThingRequest(Request, frozen=True, kw_only=True):
        thing: str
        names: tuple[str, ...] = ("a",)

    example = next(iter(ROUTED.values()))
    route = example.route
    assert route is not None
    added = Operation(
        "RenameThing",
        type(route)("POST", "things", "thing", "rename"),
        (),
        example.handler,
        RenameThingRequest,
        example.response,
        "Give a thing other names.",
    )
    text = render({**ROUTED, "RenameThing": added})
    assert 'async def rename_thing(self, thing: str, *, names: tuple[str, ...] = ("a",)) -> ' in text
    assert '"RenameThing": Route("POST", "things", "thing", "rename", RenameThingRequest, ' in text
    compile(text, "rendered", "exec")
