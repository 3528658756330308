"""The conformance suite of the storage port: what is read in pages, in which order, and what is due."""
# ruff: noqa: S101 - a suite asserts

from dataclasses import replace

import pytest

from secretsd.domain.errors import AlreadyExists
from secretsd.domain.records import Record
from secretsd.domain.rotation import RotationState
from secretsd.ports.storage import DeleteSteps
from secretsd.testing import samples
from secretsd.testing.storage_bench import Bench, bench

__all__ = ["PagesSuite", "bench"]


def names(found: object) -> list[str]:
    """The names or ids of records, in order."""
    assert isinstance(found, list | tuple)
    return [getattr(record, "name", None) or record.id for record in found]


class PagesSuite:
    """Pages are ordered byte by byte, complete, and hold what was asked for only."""

    async def test_people_are_paged_by_name(self, bench: Bench) -> None:
        people: list[Record] = [samples.user(name) for name in ("b", "A", "a", "ä-is-no-name-but-sorts-last", "a.b")]
        other = samples.OTHER_ACCOUNT
        strangers: list[Record] = [samples.user("a", other), samples.binding("x", other)]
        await bench.add(*people, *strangers, samples.policy("p2"), samples.policy("p1"))
        await bench.add(samples.binding("unix:uid/2"), samples.binding("unix:uid/10"))
        accounts = bench.storage.accounts
        ordered = ["A", "a", "a.b", "b", "ä-is-no-name-but-sorts-last"]
        assert names(await accounts.users(samples.ACCOUNT, "", 10)) == ordered
        assert names(await accounts.users(samples.ACCOUNT, "a", 2)) == ordered[2:4]
        assert names(await accounts.policies(samples.ACCOUNT, "", 10)) == ["p1", "p2"]
        assert names(await accounts.policies(samples.ACCOUNT, "p1", 10)) == ["p2"]
        proofs = bench.storage.proofs
        assert [one.proof for one in await proofs.bindings(samples.ACCOUNT, "", 10)] == ["unix:uid/10", "unix:uid/2"]
        assert await proofs.bindings(samples.ACCOUNT, "unix:uid/2", 10) == []

    async def test_targets_and_the_logins_held_there_are_paged(self, bench: Bench) -> None:
        await bench.add(*(samples.target(name) for name in ("db-2", "db-1", "db-3")))
        await bench.add(samples.target_login("b"), samples.target_login("a"), samples.target_login("a", "db-2"))
        targets = bench.storage.targets
        assert names(await targets.page("", 2)) == ["db-1", "db-2"]
        assert names(await targets.page("db-2", 2)) == ["db-3"]
        assert [one.login for one in await targets.logins("db-1", "", 10)] == ["a", "b"]
        assert [one.login for one in await targets.logins("db-1", "a", 10)] == ["b"]
        with pytest.raises(AlreadyExists):
            await bench.add(samples.target_login("a", secret_id="id-of-another"))

    async def test_rotations_of_an_account_are_paged_and_their_history_is_newest_first(self, bench: Bench) -> None:
        await bench.add(*(samples.rotation(secret_id=name) for name in ("s3", "s1", "s2")))
        await bench.add(*(samples.rotation_step(number, "s1") for number in range(5)), samples.rotation_step(9, "s2"))
        rotations = bench.storage.rotations
        assert [one.secret_id for one in await rotations.page(samples.ACCOUNT, "s1", 10)] == ["s2", "s3"]
        assert await rotations.page(samples.OTHER_ACCOUNT, "", 10) == []
        assert [one.number for one in await rotations.steps(samples.ACCOUNT, "s1", 4, 3)] == [3, 2, 1]
        await bench.change(DeleteSteps(samples.ACCOUNT, "s1", 3))
        assert [one.number for one in await rotations.steps(samples.ACCOUNT, "s1", 99, 10)] == [4, 3]
        assert [one.number for one in await rotations.steps(samples.ACCOUNT, "s2", 99, 10)] == [9]

    async def test_tokens_of_a_user_only(self, bench: Bench) -> None:
        other = replace(samples.token("cc", "t-3"), user="bob")
        await bench.add(samples.token("aa", "t-2"), samples.token("bb", "t-1", 5), other)
        tokens = bench.storage.proofs.tokens
        assert names(await tokens(samples.ACCOUNT, "ann", "", 9)) == ["t-1", "t-2"]
        assert names(await tokens(samples.ACCOUNT, "ann", "", 1)) == ["t-1"]
        assert names(await tokens(samples.ACCOUNT, "ann", "t-1", 9)) == ["t-2"]
        assert await tokens(samples.OTHER_ACCOUNT, "ann", "", 9) == []

    @pytest.mark.parametrize(
        ("prefix", "after", "limit", "expected"),
        [
            ("", "", 99, ["a", "prod", "prod!", "prod/_x", "prod/a", "prod/b", "prod/b/c", "prod0", "z"]),
            ("prod", "", 99, ["prod", "prod!", "prod/_x", "prod/a", "prod/b", "prod/b/c", "prod0"]),
            ("prod/", "", 2, ["prod/_x", "prod/a"]),
            ("prod/", "prod/a", 99, ["prod/b", "prod/b/c"]),
            ("prod/", "prod/a", 1, ["prod/b"]),
            ("prod/", "z", 99, []),
            ("prod/", "a", 1, ["prod/_x"]),
            ("", "prod0", 99, ["z"]),
            ("prod_", "", 99, []),
            ("prod%", "", 99, []),
        ],
    )
    async def test_secrets_are_paged_by_prefix(
        self, bench: Bench, prefix: str, after: str, limit: int, expected: list[str]
    ) -> None:
        there = ["prod/b", "prod", "z", "prod/b/c", "a", "prod/_x", "prod0", "prod/a", "prod!"]
        await bench.add(*(samples.secret(name) for name in there), samples.secret("prod/gone", deletion_ms=5))
        await bench.add(replace(samples.secret("prod/other", "x"), account=samples.OTHER_ACCOUNT))
        assert names(await bench.storage.secrets.page(samples.ACCOUNT, prefix, {}, after, limit, False)) == expected

    async def test_secrets_are_filtered_by_tags_and_life(self, bench: Bench) -> None:
        await bench.add(
            samples.secret("a", tags={"env": "prod", "team": "x", 'quo"ted $.key': "[1]"}),
            samples.secret("b", tags={"env": "prod"}),
            samples.secret("c", tags={"env": "test", "prod": "env"}),
            samples.secret("d", tags={"env": "prod"}, deletion_ms=9),
            samples.secret("e", tags={}),
        )

        async def found(tags: dict[str, str], deleted: bool = False, limit: int = 9) -> list[str]:
            return names(await bench.storage.secrets.page(samples.ACCOUNT, "", tags, "", limit, deleted))

        assert await found({"env": "prod"}) == ["a", "b"]
        assert await found({"env": "prod"}, limit=1) == ["a"]
        assert await found({"env": "prod"}, deleted=True) == ["a", "b", "d"]
        assert await found({"env": "prod", "team": "x"}) == ["a"]
        assert await found({'quo"ted $.key': "[1]"}) == ["a"]
        assert await found({"team": "y"}) == []
        assert await found({}, deleted=True) == ["a", "b", "c", "d", "e"]

    async def test_versions_come_newest_first(self, bench: Bench) -> None:
        await bench.add(*(samples.secret_version(number, "s") for number in range(1, 8)))
        await bench.add(samples.secret_version(9, "another"))
        assert names(await bench.storage.secrets.versions(samples.ACCOUNT, "s", 100, 3)) == ["v-7", "v-6", "v-5"]
        assert names(await bench.storage.secrets.versions(samples.ACCOUNT, "s", 3, 9)) == ["v-2", "v-1"]

    @pytest.mark.parametrize(
        ("labelled", "before_ms", "keep", "limit", "expected"),
        [
            ((), 99, 10, 99, []),
            ((), 99, 9, 99, ["v-1"]),
            ((), 99, 0, 99, [f"v-{number}" for number in range(1, 11)]),
            ((), 4, 2, 99, ["v-1", "v-2", "v-3"]),
            (("v-2", "v-10"), 99, 5, 99, ["v-1", "v-3", "v-4"]),
            (("v-2", "v-10"), 99, 5, 2, ["v-1", "v-3"]),
            (("v-2", "v-10"), 4, 5, 99, ["v-1", "v-3"]),
            (("v-2", "v-10"), 1, 0, 99, []),
        ],
    )
    async def test_prunable_versions(
        self, bench: Bench, labelled: tuple[str, ...], before_ms: int, keep: int, limit: int, expected: list[str]
    ) -> None:
        await bench.add(*(samples.secret_version(number, "s", created_ms=number) for number in range(1, 11)))
        await bench.add(samples.secret_version(1, "another", created_ms=0))
        found = await bench.storage.secrets.prunable(samples.ACCOUNT, "s", labelled, before_ms, keep, limit)
        assert names(found) == expected

    async def test_deletions_that_are_due(self, bench: Bench) -> None:
        moments = {"a": 30, "b": 10, "c": 20, "d": 31, "e": None}
        await bench.add(*(samples.secret(name, deletion_ms=moment) for name, moment in moments.items()))
        assert names(await bench.storage.secrets.deletions_due(30, 9)) == ["b", "c", "a"]
        assert names(await bench.storage.secrets.deletions_due(30, 1)) == ["b"]
        assert await bench.storage.secrets.deletions_due(9, 9) == []

    async def test_rotations_that_are_due(self, bench: Bench) -> None:
        rotations = bench.storage.rotations
        assert await rotations.next_due_ms() is None
        await bench.add(
            samples.rotation("later", 31),
            samples.rotation("now", 30),
            samples.rotation("overdue", 10),
            samples.rotation("unfinished", 20, RotationState.APPLYING),
            samples.rotation("disabled", 25, RotationState.VERIFYING, enabled=False),
            samples.rotation("quarantined", 1, RotationState.QUARANTINED),
            samples.rotation("never", None),
        )
        due = [rotation.secret_id for rotation in await rotations.due(30, 9)]
        assert due == ["overdue", "unfinished", "disabled", "now"]
        assert len(await rotations.due(30, 2)) == 2
        assert await rotations.due(9, 9) == []
        assert await rotations.next_due_ms() == 10

    async def test_rotations_are_counted_by_state_over_all_accounts(self, bench: Bench) -> None:
        assert await bench.storage.rotations.states() == {}
        foreign = replace(samples.rotation("foreign", state=RotationState.QUARANTINED), account=samples.OTHER_ACCOUNT)
        await bench.add(
            samples.rotation("a"),
            samples.rotation("b", None),
            samples.rotation("c", state=RotationState.APPLYING),
            samples.rotation("d", state=RotationState.QUARANTINED),
            foreign,
        )
        assert await bench.storage.rotations.states() == {
            RotationState.IDLE: 2,
            RotationState.APPLYING: 1,
            RotationState.QUARANTINED: 2,
        }
