"""The one road: exactly one event whatever happens, and no answer when that event cannot be written."""

import asyncio
import logging
from dataclasses import replace

import pytest

from secretsd.api.values import GetSecretValueRequest, GetSecretValueResponse
from secretsd.domain.errors import InvalidRequest, StorageUnavailable
from secretsd.domain.names import SYSTEM_ACCOUNT
from secretsd.domain.principals import ROTATION_ROLE, Principal
from secretsd.operations.attempts import STALE_ATTEMPTS
from secretsd.operations.authenticator import Caller
from secretsd.operations.bootstrap import ensure_first_account
from secretsd.operations.pipeline import UNRECOGNISED, Pipeline
from secretsd.operations.registry import OPERATIONS, Operation
from secretsd.operations.rotation_orders import StepRequest
from secretsd.ports.storage import StaleRecord
from secretsd.testing.memory_keystore import MemoryKeyStore
from secretsd.testing.storage import temporary_storage

CANARY = "hunter2-in-a-message"


class UnsureStorage:
    """The real storage, whose event queue or whose commits fail while a test says so."""

    def __init__(self, storage):
        self._storage = storage
        self.refuses_events = False
        self.refuses_units = None
        self.commits = 0

    def __getattr__(self, name):
        return getattr(self._storage, name)

    @property
    def audit(self):
        return self

    def record(self, record):
        if self.refuses_events:
            failed = asyncio.get_running_loop().create_future()
            failed.set_exception(StorageUnavailable())
            return failed
        return self._storage.audit.record(record)

    def lookup(self, *arguments):
        return self._storage.audit.lookup(*arguments)

    async def commit(self, unit):
        self.commits += 1
        if self.refuses_units is not None:
            raise self.refuses_units
        await self._storage.commit(unit)


@pytest.fixture
async def unsure(tmp_path, tools):
    async with temporary_storage(tmp_path / "storage") as storage:
        house = tools.House(UnsureStorage(storage), MemoryKeyStore())
        house.account = await ensure_first_account(house.parts, (), "test")
        yield house


def handled_by(handler):
    """GetSecretValue with another body."""
    return replace(OPERATIONS["GetSecretValue"], handler=handler)


async def ask(house, operation, caller=None, read=lambda: GetSecretValueRequest(name="app")):
    return await house.pipeline.run(operation, read, caller or Caller("unix", uid=0))


@pytest.mark.parametrize(
    ("operation", "fields", "outcome"),
    [
        ("GetSecretValue", {"name": "app"}, "ok"),
        ("GetSecretValue", {"name": "none"}, "not-found"),
        ("GetSecretValue", {"name": "app", "stage": "blue"}, "not-found"),
        ("PutSecretValue", {"name": "app", "text": "two"}, "ok"),
        ("PutSecretValue", {"name": "app"}, "invalid-request"),
        ("PutSecretValue", {"name": "app", "text": "other", "token": "t-1"}, "conflict"),
        ("PutSecretValue", {"name": "app", "text": "one", "token": "t-1"}, "ok"),
        ("CreateSecret", {"name": "app", "text": "one"}, "already-exists"),
        ("DeleteSecret", {"name": "app", "force": True}, "ok"),
        ("CreateUser", {"user": "admin"}, "already-exists"),
        ("ListSecrets", {}, "ok"),
        ("RotateSecret", {"name": "app", "rotator": "random"}, "conflict"),
    ],
)
async def test_every_outcome_leaves_exactly_one_event(house, operation, fields, outcome):
    await house.call("CreateSecret", name="app", text="one", token="t-1")
    answer = await house.run(operation, **fields)
    assert (answer.error.kind.value if answer.error else "ok") == outcome
    (event,) = await house.events(answer.request_id)
    assert (event["id"], event["operation"], event["outcome"]) == (answer.request_id, operation, outcome)
    assert event["principal"] == f"secretsd:{house.account}:user/admin"
    assert event["proof"] == "unix:uid/0"
    assert house.pipeline.counts[(operation, outcome)] >= 1


async def test_a_call_without_a_proof_leaves_its_event_with_the_system(house):
    answer = await house.run("GetSecretValue", Caller("tcp:[::1]:7"), name="app")
    assert answer.error.kind.value == "unauthenticated"
    assert await house.events(answer.request_id) == []
    (event,) = await house.events(answer.request_id, SYSTEM_ACCOUNT)
    assert (event["accounts"], event["source"], event["outcome"]) == (
        [SYSTEM_ACCOUNT],
        "tcp:[::1]:7",
        "unauthenticated",
    )
    assert "principal" not in event


async def test_a_denied_call_is_recorded_with_who_and_what(house):
    ann = await house.user("ann")
    answer = await house.run("GetSecretValue", ann, name="app")
    (event,) = await house.events(answer.request_id)
    assert event["outcome"] == "access-denied"
    assert event["principal"].endswith("user/ann")
    assert event["resource"] == f"secretsd:{house.account}:secret/app"


async def test_a_request_that_cannot_be_read_is_recorded_without_its_text(house):
    def read():
        raise InvalidRequest("cannot read the body: it is not JSON")

    answer = await ask(house, OPERATIONS["GetSecretValue"], read=read)
    (event,) = await house.events(answer.request_id)
    assert (event["operation"], event["outcome"], event["resource"]) == ("GetSecretValue", "invalid-request", "")


async def test_a_request_in_which_nothing_is_recognised_is_recorded(house):
    for caller, account in ((Caller("unix", uid=0), house.account), (Caller("tcp"), SYSTEM_ACCOUNT)):
        answer = await house.pipeline.refuse(caller, InvalidRequest(), {"why": "junk"})
        (event,) = await house.events(answer.request_id, account)
        assert (event["operation"], event["outcome"], event["fields"]) == (
            UNRECOGNISED,
            "invalid-request",
            {"why": "junk"},
        )


async def test_what_cannot_be_recorded_is_not_answered(unsure):
    await unsure.call("CreateSecret", name="app", text="one")
    unsure.storage.refuses_events = True
    for operation, fields in (
        ("GetSecretValue", {"name": "app"}),
        ("GetSecretValue", {"name": "none"}),
        ("PutSecretValue", {"name": "app"}),
        ("ListSecrets", {}),
        ("GetCallerIdentity", {}),
    ):
        answer = await unsure.run(operation, **fields)
        assert answer.response is None
        assert answer.error.kind.value == "storage-unavailable"
    stranger = await unsure.run("GetSecretValue", Caller("tcp"), name="app")
    assert stranger.error.kind.value == "storage-unavailable"
    unsure.storage.refuses_events = False
    assert await unsure.text("app") == "one"


async def test_a_change_that_cannot_be_stored_is_refused_recorded_and_undone(unsure):
    await unsure.call("CreateSecret", name="app", text="one")
    unsure.storage.refuses_units = StorageUnavailable()
    answer = await unsure.run("PutSecretValue", name="app", text="two")
    assert answer.error.kind.value == "storage-unavailable"
    (event,) = await unsure.events(answer.request_id)
    assert event["outcome"] == "storage-unavailable"
    assert "changes" not in event
    unsure.storage.refuses_units = None
    assert await unsure.text("app") == "one"


async def test_a_stale_record_is_read_again_and_a_lasting_one_is_a_conflict(unsure):
    await unsure.call("CreateSecret", name="app", text="one")
    unsure.storage.commits, unsure.storage.refuses_units = 0, StaleRecord()
    answer = await unsure.run("PutSecretValue", name="app", text="two")
    assert answer.error.kind.value == "conflict"
    assert unsure.storage.commits == STALE_ATTEMPTS
    assert len(await unsure.events(answer.request_id)) == 1


async def test_an_unforeseen_exception_is_internal_and_leaks_nothing(house, caplog):
    async def explode(call, request):
        raise KeyError(f"value was {CANARY}")

    with caplog.at_level(logging.DEBUG):
        answer = await ask(house, handled_by(explode))
    assert answer.error.kind.value == "internal"
    assert CANARY not in answer.error.message
    assert answer.error.__cause__ is None
    (event,) = await house.events(answer.request_id)
    assert event["outcome"] == "internal"
    assert CANARY not in caplog.text + str(event)
    assert "KeyError" in caplog.text
    assert "test_pipeline.py:" in caplog.text


async def test_an_exception_after_the_commit_leaves_the_one_event_of_the_change(house):
    async def change_and_explode(call, request):
        secret = await call.parts.rows.secret(call.account, request.name)
        await call.commit(call.replace(secret, replace(secret, description="changed")))
        raise ValueError(CANARY)

    await house.call("CreateSecret", name="app", text="one")
    answer = await ask(house, handled_by(change_and_explode))
    assert answer.error.kind.value == "internal"
    (event,) = await house.events(answer.request_id)
    assert (event["outcome"], [row[0] for row in event["changes"]]) == ("ok", ["secrets"])
    assert (await house.call("DescribeSecret", name="app")).description == "changed"


async def test_too_many_at_once_are_told_to_come_again_and_recorded(house):
    proceed = asyncio.Event()

    async def wait(call, request):
        await proceed.wait()
        return GetSecretValueResponse(name="app", version_id="v", number=1, stages=(), created_ms=1)

    small = Pipeline(house.parts, max_in_flight=2)
    operation: Operation = handled_by(wait)
    waiting = [
        asyncio.create_task(small.run(operation, lambda: GetSecretValueRequest(name="app"), Caller("unix", uid=0)))
        for _ in range(2)
    ]
    await asyncio.sleep(0)
    third = await small.run(operation, lambda: GetSecretValueRequest(name="app"), Caller("unix", uid=0))
    assert third.error is not None
    assert (third.error.kind.value, third.error.retry_after_seconds) == ("throttled", 1)
    assert len(await house.events(third.request_id, SYSTEM_ACCOUNT)) == 1
    proceed.set()
    assert [answer.error for answer in await asyncio.gather(*waiting)] == [None, None]


async def test_the_events_of_scheduled_steps_name_the_rotation_role(house):
    await house.call("CreateSecret", name="app", text="one")
    role = Principal(house.account, ROTATION_ROLE, "schedule")
    step = StepRequest(name="app", epoch=1)
    with pytest.raises(Exception, match="cannot find a rotation"):
        await house.pipeline.run_scheduled(OPERATIONS["StageRotationCandidate"], step, role, None)
    (event,) = [one for one in await house.events() if one["operation"] == "StageRotationCandidate"]
    assert (event["principal"], event["source"], event["outcome"]) == (
        f"secretsd:{house.account}:role/rotation",
        "schedule",
        "not-found",
    )


async def test_the_rotation_role_may_nothing_but_its_steps(house):
    await house.call("CreateSecret", name="app", text="one")
    role = Principal(house.account, ROTATION_ROLE, "schedule")
    with pytest.raises(Exception, match="cannot do that"):
        await house.pipeline.run_scheduled(OPERATIONS["GetSecretValue"], GetSecretValueRequest(name="app"), role, None)


async def test_no_caller_reaches_a_step_of_scheduled_work(house):
    routed = [operation.name for operation in OPERATIONS.values() if operation.route is not None]
    steps = [operation.name for operation in OPERATIONS.values() if operation.route is None]
    assert {"PromoteRotation", "EraseSecret"} <= set(steps)
    assert not set(steps) & set(routed)
