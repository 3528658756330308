"""The conformance suite of the storage port: records and units of work. A storage passes it, or it is none of ours.

A test module subclasses `StorageSuite` (and those of storage_suite_nodes) and gives it the fixture `world`.
"""
# ruff: noqa: S101 - a suite asserts

import asyncio
from dataclasses import replace

import pytest

from secretsd.domain.errors import AlreadyExists, NotFound
from secretsd.domain.records import Record, TamperedRecord
from secretsd.domain.rotation import RotationState
from secretsd.domain.secrets import PENDING
from secretsd.ports.storage import (
    Add,
    Delete,
    DeleteVersions,
    Fence,
    Lease,
    LeaseLost,
    StaleRecord,
    Storage,
    Unchanged,
)
from secretsd.testing import access_samples, samples
from secretsd.testing.storage_bench import Bench, StorageWorld, bench

__all__ = ["StorageSuite", "bench"]


async def stored(storage: Storage) -> list[Record]:
    """The sample records, each read by the method for its type."""
    account, secret = samples.ACCOUNT, samples.secret()
    return [
        await storage.accounts.get(account),
        await storage.accounts.user(account, "ann"),
        await storage.proofs.token(samples.token().digest),
        await storage.proofs.binding(samples.binding().proof),
        await storage.accounts.policy(account, "readers"),
        await storage.keys.get(account, samples.KEY_ID),
        await storage.keys.version(account, samples.KEY_ID, 1),
        await storage.keys.alias(account, "prod/db"),
        await storage.keys.reencryption(account, samples.KEY_ID),
        await storage.secrets.get(account, secret.name),
        await storage.secrets.version(account, secret.id, "v-1"),
        await storage.secrets.value(account, secret.id, "v-1"),
        await storage.rotations.get(account, secret.id),
        *await storage.rotations.steps(account, secret.id, 1, 10),
        await storage.targets.get("db-1"),
        await storage.targets.login("db-1", "app_a"),
        await storage.accounts.group(account, "dbas"),
        await storage.accounts.role(account, "deployer"),
        await storage.proofs.access_key("AK1"),
        await storage.proofs.session(access_samples.session().digest),
        *await storage.proofs.spaces(),
        *await storage.proofs.authorities(),
        *await storage.proofs.issuers(),
        await storage.grants.policy(account, f"key/{samples.KEY_ID}"),
        await storage.grants.grant(access_samples.grant().id),
    ]


class StorageSuite:
    """Records come back as they went in, units are all or nothing, and nobody's edit is believed."""

    async def test_every_record_comes_back_as_it_went_in(self, bench: Bench) -> None:
        await bench.add(*samples.every_kind())
        assert await stored(bench.storage) == samples.every_kind()

    async def test_fields_of_later_releases_come_back_too(self, bench: Bench) -> None:
        user, token, binding, policy, secret, rotation, step, session, *_ = samples.later_fields()
        await bench.add(user, token, binding, policy, secret, rotation, step, session)
        assert await bench.storage.accounts.user(samples.ACCOUNT, "eve") == user
        assert await bench.storage.proofs.token("ef" * 32) == token
        assert await bench.storage.proofs.session("ef" * 32) == session
        assert await bench.storage.proofs.binding("unix:uid/2000") == binding
        assert await bench.storage.accounts.policy(samples.ACCOUNT, "later") == policy
        assert await bench.storage.secrets.get(samples.ACCOUNT, "prod/db/held") == secret
        assert await bench.storage.rotations.get(samples.ACCOUNT, "id-of-prod/db/held") == rotation
        assert await bench.storage.rotations.steps(samples.ACCOUNT, "id-of-prod/db/held", 9, 9) == [step]

    async def test_what_is_not_there_is_not_found(self, bench: Bench) -> None:
        storage, account = bench.storage, samples.ACCOUNT
        for read in (
            storage.accounts.get("999999999999"),
            storage.accounts.user(account, "nobody"),
            storage.proofs.token("00"),
            storage.proofs.binding("unix:uid/1"),
            storage.accounts.policy(account, "none"),
            storage.keys.get(account, "none"),
            storage.keys.version(account, samples.KEY_ID, 9),
            storage.secrets.get(account, "none"),
            storage.secrets.version(account, "none", "v-1"),
            storage.secrets.value(account, "none", "v-1"),
            storage.rotations.get(account, "none"),
            storage.targets.get("none"),
            storage.targets.login("db-1", "none"),
        ):
            with pytest.raises(NotFound, match=r"^cannot find"):
                await read

    @pytest.mark.parametrize("at", range(len(samples.every_kind())))
    async def test_a_taken_key_is_taken(self, bench: Bench, at: int) -> None:
        record = samples.every_kind()[at]
        await bench.add(record)
        with pytest.raises(AlreadyExists):
            await bench.add(record)

    async def test_a_taken_id_or_number_is_taken(self, bench: Bench) -> None:
        await bench.add(samples.secret("a", "one"), samples.secret_version(1), samples.token("aa", "t-1"))
        for record in (
            samples.secret("b", "one"),
            replace(samples.secret_version(1), id="another"),
            samples.token("bb", "t-1"),
        ):
            with pytest.raises(AlreadyExists):
                await bench.add(record)

    async def test_a_record_is_replaced_once(self, bench: Bench) -> None:
        before = samples.secret()
        await bench.add(before)
        after = replace(before, description="new", stages={**before.stages, PENDING: "v-2"}, revision=1)
        await bench.change(bench.replace(before, after))
        assert await bench.storage.secrets.get(samples.ACCOUNT, before.name) == after
        with pytest.raises(StaleRecord):
            await bench.change(bench.replace(before, replace(after, description="late")))
        assert await bench.storage.secrets.get(samples.ACCOUNT, before.name) == after

    async def test_what_is_gone_cannot_be_changed(self, bench: Bench) -> None:
        before = samples.rotation()
        with pytest.raises(StaleRecord):
            await bench.change(bench.replace(before, replace(before, state=RotationState.APPLYING, revision=1)))
        with pytest.raises(StaleRecord):
            await bench.change(Delete(before))

    async def test_only_the_revision_that_was_read_is_deleted(self, bench: Bench) -> None:
        record = samples.user()
        await bench.add(record)
        with pytest.raises(StaleRecord):
            await bench.change(Delete(replace(record, revision=3)))
        await bench.change(Delete(record))
        with pytest.raises(NotFound):
            await bench.storage.accounts.user(record.account, record.name)

    async def test_one_that_was_made_anew_is_not_the_one_that_was_read(self, bench: Bench) -> None:
        """Both are at their first revision; the authenticator tells them apart."""
        record, anew = samples.user(), replace(samples.user(), created_ms=samples.user().created_ms + 1)
        was = bench.mac(record)
        await bench.add(record)
        await bench.change(Unchanged(record, was))
        await bench.change(Delete(record, was))
        await bench.add(anew)
        changed = bench.replace(record, replace(record, policies=("x",), revision=1))
        for change in (Unchanged(record, was), Delete(record, was), replace(changed, was=was)):
            with pytest.raises(StaleRecord):
                await bench.change(change)
        assert await bench.storage.accounts.user(record.account, record.name) == anew

    async def test_a_name_can_be_used_again(self, bench: Bench) -> None:
        first, second = samples.secret("a", "one"), samples.secret("a", "two")
        await bench.add(first)
        await bench.change(Delete(first), Add(second, bench.mac(second)))
        assert (await bench.storage.secrets.get(samples.ACCOUNT, "a")).id == "two"

    async def test_all_versions_go_at_once(self, bench: Bench) -> None:
        for secret_id in ("one", "two"):
            numbers = range(1, 6)
            await bench.add(*(samples.secret_version(number, secret_id) for number in numbers))
            await bench.add(*(samples.sealed_value(number, secret_id) for number in numbers))
        await bench.change(DeleteVersions(samples.ACCOUNT, "one"))
        assert await bench.storage.secrets.versions(samples.ACCOUNT, "one", 100, 100) == []
        with pytest.raises(NotFound):
            await bench.storage.secrets.value(samples.ACCOUNT, "one", "v-3")
        assert len(await bench.storage.secrets.versions(samples.ACCOUNT, "two", 100, 100)) == 5
        assert await bench.storage.secrets.value(samples.ACCOUNT, "two", "v-3") == samples.sealed_value(3, "two")

    async def test_a_large_value_comes_back(self, bench: Bench) -> None:
        value = replace(samples.sealed_value(), value=bytes(range(256)) * 260)
        await bench.add(value)
        assert await bench.storage.secrets.value(value.account, value.secret_id, value.version_id) == value

    async def test_a_unit_leaves_nothing_when_its_last_change_fails(self, bench: Bench) -> None:
        await bench.add(samples.user("taken"))
        before = await bench.events()
        fresh, taken = samples.user("fresh"), samples.user("taken")
        with pytest.raises(AlreadyExists):
            await bench.add(fresh, samples.secret(), taken)
        with pytest.raises(NotFound):
            await bench.storage.accounts.user(samples.ACCOUNT, "fresh")
        assert await bench.events() == before

    async def test_units_committed_together_fail_alone(self, bench: Bench) -> None:
        users = [samples.user(f"u{number % 40:02}") for number in range(80)]
        outcomes = await asyncio.gather(*(bench.add(user) for user in users), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [type(None)] * 40 + [AlreadyExists] * 40
        assert await bench.storage.accounts.users(samples.ACCOUNT, "", 100) == users[:40]
        assert len(await bench.events()) == 40

    async def test_one_of_many_wins_a_race(self, bench: Bench) -> None:
        before = samples.secret()
        await bench.add(before)
        afters = [replace(before, description=str(number), revision=1) for number in range(20)]
        outcomes = await asyncio.gather(
            *(bench.change(bench.replace(before, after)) for after in afters), return_exceptions=True
        )
        won = [after for after, outcome in zip(afters, outcomes, strict=True) if isinstance(outcome, bytes)]
        assert [await bench.storage.secrets.get(samples.ACCOUNT, before.name)] == won
        assert sum(isinstance(outcome, StaleRecord) for outcome in outcomes) == 19

    async def test_a_unit_is_fenced_by_its_lease(self, bench: Bench) -> None:
        lease = await bench.storage.leases.claim("rotations", 30)
        assert isinstance(lease, Lease)
        await bench.change(fence=Fence(lease.name, lease.owner, lease.epoch))
        for fence in (
            Fence(lease.name, lease.owner, lease.epoch + 1),
            Fence(lease.name, "somebody else", lease.epoch),
            Fence("another", lease.owner, lease.epoch),
        ):
            with pytest.raises(LeaseLost):
                await bench.change(Add(samples.user(), bench.mac(samples.user())), fence=fence)
        await bench.storage.leases.release(lease)
        with pytest.raises(LeaseLost):
            await bench.change(fence=Fence(lease.name, lease.owner, lease.epoch))
        assert await bench.storage.accounts.users(samples.ACCOUNT, "", 10) == []

    @pytest.mark.parametrize(
        ("table", "column", "value"),
        [
            ("accounts", "default_key_id", "another"),
            ("users", "policies", '["admins"]'),
            ("tokens", "user", "root"),
            ("tokens", "expires_ms", 9_999_999_999_999),
            ("bindings", "user", "root"),
            ("policies", "statements", "[]"),
            ("policies", "statements", '{"not":"a list"}'),
            ("keys", "state", "disabled"),
            ("keys", "state", "no such state"),
            ("key_versions", "blob", b"another"),
            ("secrets", "stages", '{"current":"v-0"}'),
            ("secrets", "revision", 7),
            ("secret_versions", "number", 7),
            ("rotations", "schedule", '{"every_seconds":1}'),
            ("rotations", "row_mac", b""),
            ("rotations", "target", "another"),
            ("rotation_steps", "reason", "all is well"),
            ("targets", "logins", '{"100000000001":"*"}'),
            ("targets", "address", '{"host":"elsewhere"}'),
            ("target_logins", "secret_id", "another"),
        ],
    )
    async def test_an_edited_record_is_refused(
        self, world: StorageWorld, bench: Bench, table: str, column: str, value: str | int | bytes
    ) -> None:
        await bench.add(*samples.every_kind())
        await world.edit(table, column, value)
        with pytest.raises(TamperedRecord, match=r"^cannot trust a record"):
            await stored(bench.storage)

    async def test_an_edited_record_is_refused_in_a_page_too(self, world: StorageWorld, bench: Bench) -> None:
        await bench.add(*samples.every_kind())
        await world.edit("secrets", "description", "edited")
        await world.edit("users", "name", "root")
        await world.edit("targets", "admin_login", "another")
        await world.edit("target_logins", "account", samples.OTHER_ACCOUNT)
        await world.edit("rotation_steps", "state", "idle")
        for page in (
            bench.storage.secrets.page(samples.ACCOUNT, "", {}, "", 10, True),
            bench.storage.accounts.users(samples.ACCOUNT, "", 10),
            bench.storage.targets.page("", 10),
            bench.storage.targets.logins("db-1", "", 10),
            bench.storage.rotations.steps(samples.ACCOUNT, samples.rotation().secret_id, 99, 10),
        ):
            with pytest.raises(TamperedRecord):
                await page
