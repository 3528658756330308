"""Keys under random operations, days and looks of the service, against a model: no move but a legal one, ever."""

import asyncio
import contextlib
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from secretsd.api.keys import OfKey
from secretsd.domain.errors import InvalidState
from secretsd.domain.keys import CMK, TRANSITIONS, KeyOrigin, KeyState, KeyVersionState
from secretsd.domain.principals import ROTATION_ROLE, Principal
from secretsd.operations.bootstrap import ensure_first_account
from secretsd.operations.registry import OPERATIONS
from secretsd.ports.storage import Replace, UnitOfWork
from secretsd.services.key_deletion import KeyDeletions
from secretsd.testing import samples
from secretsd.testing.memory_keystore import MemoryKeyStore
from secretsd.testing.storage import authenticator, temporary_storage

DAY_MS = 24 * 3600 * 1000
S = KeyState


@dataclass
class Model:
    """What has to be true of a key."""

    state: KeyState
    protected: bool = False
    due_ms: int = 0
    expires_ms: int | None = None
    material: bool = True
    begun: bool = False
    seen: CMK | None = None


class LifeOfKeys(RuleBasedStateMachine):
    """Every answer is foretold by the model; what is stored is compared with it after each step."""

    keys = Bundle("keys")

    def __init__(self, house_of: Any, directory: Any) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stack = contextlib.AsyncExitStack()
        self.models: dict[str, Model] = {}
        self.made = self.answered = 0
        self.do(self.open(house_of, directory))

    async def open(self, house_of: Any, directory: Any) -> None:
        storage = await self.stack.enter_async_context(temporary_storage(directory))
        self.house = house_of(storage, MemoryKeyStore())
        self.house.account = await ensure_first_account(self.house.parts, (), "test")
        self.deletions = KeyDeletions(self.house.pipeline)

    def do(self, about: Any) -> Any:
        return self.loop.run_until_complete(about)

    def ask(self, name: str, allowed: bool, /, **fields: Any) -> Any:
        """Call an operation; it succeeds exactly when the model allows it, and leaves one event that says which."""
        answer = self.do(self.house.run(name, **fields))
        assert (answer.error is None) == allowed, (name, fields, answer.error)
        (event,) = self.do(self.house.events(answer.request_id))
        assert (event["operation"], event["outcome"] == "ok") == (name, allowed)
        return answer.response

    @rule(target=keys, external=st.booleans(), protected=st.booleans())
    def create(self, external: bool, protected: bool) -> str:
        origin = "EXTERNAL" if external else "HSM"
        made = self.ask("CreateKey", True, origin=origin, deletion_protection=protected)
        state = S.PENDING_IMPORT if external else S.ENABLED
        self.models[made.id] = Model(state, protected, material=not external)
        return str(made.id)

    @rule(key=keys)
    def enable(self, key: str) -> None:
        model = self.models[key]
        expired = model.expires_ms is not None and model.expires_ms <= self.house.clock.ms
        legal = model.state is S.ENABLED or (model.state is S.DISABLED and not expired)
        self.ask("EnableKey", legal, key=key)
        if legal:
            model.state = S.ENABLED

    @rule(key=keys)
    def disable(self, key: str) -> None:
        model = self.models[key]
        legal = model.state in (S.ENABLED, S.DISABLED)
        self.ask("DisableKey", legal, key=key)
        if legal:
            model.state = S.DISABLED

    @rule(key=keys, days=st.integers(7, 20))
    def schedule(self, key: str, days: int) -> None:
        model = self.models[key]
        legal = model.state not in (S.PENDING_DELETION, S.DESTROYED) and not model.protected
        told = self.ask("ScheduleKeyDeletion", legal, key=key, pending_window_days=days)
        if legal:
            model.state, model.due_ms = S.PENDING_DELETION, told.deletion_ms
            assert told.deletion_ms >= self.house.clock.ms - 1000 + days * DAY_MS

    @rule(key=keys)
    def cancel(self, key: str) -> None:
        model = self.models[key]
        legal = model.state is S.PENDING_DELETION and not model.begun
        self.ask("CancelKeyDeletion", legal, key=key)
        if legal:
            model.state = S.DISABLED if model.material else S.PENDING_IMPORT

    @rule(key=keys, first=st.sampled_from(["", "BeginKeyErasure", "EraseKey"]), kept=st.booleans())
    def let_it_come_due(self, key: str, first: str, kept: bool) -> None:
        """What random rules seldom bring about by themselves: a key whose day has come, and late changes of mind."""
        self.protect(key, enabled=False)
        self.schedule(key, days=7)
        self.time_passes(days=8)
        if first:
            self.step(key, step=first)
        if kept:
            self.cancel(key)

    @rule(key=keys)
    def let_it_expire(self, key: str) -> None:
        """A key that is disabled while its material's time ends."""
        self.disable(key)
        self.time_passes(days=12)
        self.enable(key)

    @rule(key=keys, enabled=st.booleans())
    def protect(self, key: str, enabled: bool) -> None:
        model = self.models[key]
        legal = model.state not in (S.PENDING_DELETION, S.DESTROYED)
        self.ask("SetDeletionProtection", legal, key=key, enabled=enabled)
        if legal:
            model.protected = enabled

    @rule(key=keys)
    def change(self, key: str) -> None:
        legal = self.models[key].state not in (S.PENDING_DELETION, S.DESTROYED)
        self.ask("UpdateKeyDescription", legal, key=key, description=f"{self.house.clock.ms}")
        self.ask("TagResource", legal, resource=f"key/{key}", tags={"at": f"{self.house.clock.ms}"})

    @rule(key=keys)
    def name(self, key: str) -> None:
        self.made += 1
        legal = self.models[key].state not in (S.PENDING_DELETION, S.DESTROYED)
        self.ask("CreateAlias", legal, key=key, alias=f"a{self.made}")

    @rule(key=keys)
    def use(self, key: str) -> None:
        """Seals something under the key. Material from outside is none here that the key store made."""
        model = self.models[key]
        if model.seen is None or model.seen.origin is KeyOrigin.HSM:
            self.made += 1
            self.ask("CreateSecret", model.state is S.ENABLED, name=f"s{self.made}", text="x", key_id=key)

    @rule(key=keys, days=st.integers(1, 10) | st.none())
    def bring_material(self, key: str, days: int | None) -> None:
        """What importing does, by the same moves."""
        model = self.models[key]
        if model.state is not S.PENDING_IMPORT:
            return
        model.expires_ms = None if days is None else self.house.clock.ms + days * DAY_MS
        self.do(self._imported(key, model.expires_ms))
        model.state, model.material = S.ENABLED, True

    async def _imported(self, key: str, expires_ms: int | None) -> None:
        keys, mac = self.house.storage.keys, authenticator().mac
        before = await keys.get(self.house.account, key)
        moved = replace(before.become(S.ENABLED), material_expires_ms=expires_ms, revision=before.revision + 1)
        changes = [Replace(before, moved, mac(moved))]
        versions = await keys.versions(self.house.account, key, 99, 9)
        fields = {"account": self.house.account, "key_id": key, "origin": KeyOrigin.EXTERNAL}
        if not versions:
            await self.house.add_record(replace(samples.wrapped_key(1), **fields))
        else:
            back = replace(versions[0], state=KeyVersionState.LIVE, blob=b"back", revision=versions[0].revision + 1)
            changes.append(Replace(versions[0], back, mac(back)))
        event = samples.event("Imported", accounts=(samples.OTHER_ACCOUNT,))
        await self.house.storage.commit(UnitOfWork(tuple(changes), event))
        self.house.storage.refresh()

    @rule(days=st.sampled_from([0.5, 6, 21]))
    def time_passes(self, days: float) -> None:
        self.house.clock.pass_days(days)

    @rule(key=keys, step=st.sampled_from(["BeginKeyErasure", "EraseKey"]))
    def step(self, key: str, step: str) -> None:
        """A step out of turn, as a service that errs or a crash in between would have it."""
        model = self.models[key]
        legal = model.state is S.PENDING_DELETION and model.due_ms <= self.house.clock.ms + 1
        legal = legal and (step == "BeginKeyErasure" or model.begun)
        principal = Principal(self.house.account, ROTATION_ROLE, "schedule")
        about = self.house.pipeline.run_scheduled(OPERATIONS[step], OfKey(key=key), principal, None)
        try:
            self.do(about)
        except InvalidState:
            assert not legal
            return
        assert legal
        model.begun = True
        if step == "EraseKey":
            model.state = S.DESTROYED

    @rule()
    def look(self) -> None:
        now_ms = self.house.clock.ms
        waiting = [one for one in self.models.values() if one.state is S.PENDING_DELETION and one.due_ms <= now_ms]
        expired = [
            one
            for one in self.models.values()
            if one.state in (S.ENABLED, S.DISABLED) and one.expires_ms is not None and one.expires_ms <= now_ms
        ]
        assert self.do(self.deletions.ensure()) == len(waiting) + len(expired)
        for model in waiting:
            model.state = S.DESTROYED
        for model in expired:
            model.state, model.material, model.expires_ms = S.PENDING_IMPORT, False, None

    @invariant()
    def what_is_stored_is_what_the_model_says(self) -> None:
        for key, model in self.models.items():
            stored = self.do(self.house.storage.keys.get(self.house.account, key))
            assert stored.state is model.state
            before, model.seen = model.seen, stored
            if before is None or before == stored:
                continue
            assert before.state is not S.DESTROYED, "nothing changes a destroyed key"
            assert self._reachable(before.state, stored.state), (before.state, stored.state)
            if stored.state is S.DESTROYED:
                assert before.deletion_ms is not None
                assert before.deletion_ms <= stored.deletion_ms, "not before its day"
                versions = self.do(self.house.storage.keys.versions(self.house.account, key, 99, 9))
                assert all((one.state, one.blob) == (KeyVersionState.DESTROYED, b"") for one in versions)
                assert not self.do(self.house.storage.keys.aliases(self.house.account, "", 9, key))

    @staticmethod
    def _reachable(before: KeyState, after: KeyState) -> bool:
        return after is before or after in TRANSITIONS[before]

    def teardown(self) -> None:
        try:
            events = self.do(self.house.events())
            # That of the first start is none of a call's.
            assert len(events) - 1 == sum(self.house.pipeline.counts.values()), "one event a call, scheduled ones too"
        finally:
            self.do(self.stack.aclose())
            self.loop.close()


def test_the_life_of_keys(tools, tmp_path_factory):
    machine: Any = lambda: LifeOfKeys(tools.House, tmp_path_factory.mktemp("storage"))  # noqa: E731  # a type to Hypothesis
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=25, stateful_step_count=40, deadline=None),
    )
