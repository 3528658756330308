"""The conformance suite of the storage port: what can be asked about keys, their versions, aliases and guards."""
# ruff: noqa: S101 - a suite asserts

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from secretsd.domain.errors import AlreadyExists, NotFound
from secretsd.domain.key_specs import KeySpec, KeyUsage
from secretsd.domain.keys import CMK, KeyOrigin, KeyOwner, KeyState, KeyVersionState, ProtectionLevel, WrappedKey
from secretsd.domain.records import Record, TamperedRecord
from secretsd.domain.secrets import SecretVersion
from secretsd.ports.readers import KeyFilter
from secretsd.testing import samples
from secretsd.testing.storage_bench import Bench, StorageWorld, bench

__all__ = ["KeysSuite", "bench"]
HERE, ELSEWHERE = samples.ACCOUNT, samples.OTHER_ACCOUNT


def key(identifier: str, **fields: Any) -> CMK:
    """A CMK of that id, plain but for the fields given."""
    return replace(samples.cmk(identifier), **{"tags": {}, **fields})


def version(number: int, key_id: str = samples.KEY_ID, **fields: Any) -> WrappedKey:
    """A key version."""
    return replace(samples.wrapped_key(number), key_id=key_id, **fields)


def guarded(number: int, secret_id: str, key_id: str = "k", key_version: int = 1, owner: str = HERE) -> SecretVersion:
    """Version `v-<number>` of a secret, its data key under a version of a CMK."""
    made = samples.secret_version(number, secret_id)
    return replace(made, account=owner, key_id=key_id, key_version=key_version)


def ids(found: object) -> list[str]:
    """The ids of CMKs, in order."""
    assert isinstance(found, list | tuple)
    return [one.id for one in found]


OF_MANY_KINDS: list[Record] = [
    key("a", tags={"env": "prod", "team": "x"}),
    key("b", state=KeyState.DISABLED, tags={"env": "prod"}, owner=KeyOwner.CUSTOMER),
    key("c", spec=KeySpec.RSA_2048, usage=KeyUsage.SIGN_VERIFY, owner=KeyOwner.CUSTOMER),
    key("d", state=KeyState.PENDING_IMPORT, origin=KeyOrigin.EXTERNAL),
    key("e", state=KeyState.DESTROYED, tags={"env": "prod"}),
    key("f", spec=KeySpec.SM4, protection_level=ProtectionLevel.SOFTWARE, tags={'quo"ted $.key': "[1]"}),
    key("a-of-another", account=ELSEWHERE, tags={"env": "prod"}),
]


class KeysSuite:
    """Keys are found by what they are, by what is due and by what they guard; each account sees its own."""

    async def test_fields_of_later_releases_come_back_too(self, bench: Bench) -> None:
        *_, held, old = samples.later_fields()
        await bench.add(held, old)
        assert await bench.storage.keys.get(HERE, "id-of-held") == held
        assert await bench.storage.keys.version(HERE, "id-of-held", 2) == old

    async def test_a_destroyed_version_comes_back_without_its_blob(self, bench: Bench) -> None:
        before = version(1)
        await bench.add(before)
        gone = replace(before, state=KeyVersionState.DESTROYED, blob=b"", mac=b"", revision=1)
        await bench.change(bench.replace(before, gone))
        assert await bench.storage.keys.version(HERE, samples.KEY_ID, 1) == gone

    async def test_keys_are_paged_by_id(self, bench: Bench) -> None:
        await bench.add(*(key(identifier) for identifier in ("k3", "k1", "k2")), key("k0", account=ELSEWHERE))
        assert ids(await bench.storage.keys.page(HERE, "", 2)) == ["k1", "k2"]
        assert ids(await bench.storage.keys.page(HERE, "k2", 2)) == ["k3"]
        assert ids(await bench.storage.keys.page(ELSEWHERE, "", 2)) == ["k0"]

    @pytest.mark.parametrize(
        ("wanted", "expected"),
        [
            (KeyFilter(), "abcdef"),
            (KeyFilter(destroyed=False), "abcdf"),
            (KeyFilter(state=KeyState.ENABLED), "acf"),
            (KeyFilter(state=KeyState.DESTROYED), "e"),
            (KeyFilter(spec=KeySpec.AES_256), "abde"),
            (KeyFilter(usage=KeyUsage.SIGN_VERIFY), "c"),
            (KeyFilter(origin=KeyOrigin.EXTERNAL), "d"),
            (KeyFilter(protection_level=ProtectionLevel.SOFTWARE), "f"),
            (KeyFilter(owner=KeyOwner.CUSTOMER), "bc"),
            (KeyFilter(owner=KeyOwner.CUSTOMER, state=KeyState.ENABLED), "c"),
            (KeyFilter(tags={"env": "prod"}), "abe"),
            (KeyFilter(tags={"env": "prod"}, destroyed=False), "ab"),
            (KeyFilter(tags={"env": "prod", "team": "x"}), "a"),
            (KeyFilter(tags={"env": "test"}), ""),
            (KeyFilter(tags={'quo"ted $.key': "[1]"}), "f"),
        ],
    )
    async def test_keys_are_found_by_what_they_are(self, bench: Bench, wanted: KeyFilter, expected: str) -> None:
        await bench.add(*OF_MANY_KINDS)
        assert ids(await bench.storage.keys.page(HERE, "", 99, wanted)) == list(expected)
        assert ids(await bench.storage.keys.page(HERE, "b", 99, wanted)) == [one for one in expected if one > "b"]
        assert ids(await bench.storage.keys.page(HERE, "", 1, wanted)) == list(expected[:1])

    async def test_key_versions_come_newest_first(self, bench: Bench) -> None:
        await bench.add(*(version(number) for number in range(1, 12)))
        await bench.add(version(20, "another"), version(21, account=ELSEWHERE))
        keys = bench.storage.keys
        numbers = [one.version for one in await keys.versions(HERE, samples.KEY_ID, 100, 3)]
        assert numbers == [11, 10, 9]
        assert [one.version for one in await keys.versions(HERE, samples.KEY_ID, 3, 9)] == [2, 1]
        assert await keys.versions(HERE, "none", 99, 9) == []

    async def test_aliases_are_paged_by_name_and_by_key(self, bench: Bench) -> None:
        names = {"b": "k1", "A": "k2", "a/x": "k1", "a": "k1"}
        await bench.add(*(samples.alias(name, leads_to) for name, leads_to in names.items()))
        await bench.add(replace(samples.alias("a", "k1"), account=ELSEWHERE))

        async def found(after: str = "", limit: int = 9, of: str | None = None) -> list[str]:
            return [one.name for one in await bench.storage.keys.aliases(HERE, after, limit, of)]

        assert await found() == ["A", "a", "a/x", "b"]
        assert await found("a", 1) == ["a/x"]
        assert await found(of="k1") == ["a", "a/x", "b"]
        assert await found("a", 1, of="k1") == ["a/x"]
        assert await found(of="k3") == []
        with pytest.raises(AlreadyExists):
            await bench.add(samples.alias("a", "k9"))
        with pytest.raises(NotFound, match=r"^cannot find"):
            await bench.storage.keys.alias(HERE, "none")

    async def test_keys_that_are_due_of_all_accounts(self, bench: Bench) -> None:
        waiting = KeyState.PENDING_DELETION
        await bench.add(
            key("delete", state=waiting, deletion_ms=30),
            key("delete-first", state=waiting, deletion_ms=10, account=ELSEWHERE),
            key("delete-later", state=waiting, deletion_ms=31),
            key("deleted", state=KeyState.DESTROYED, deletion_ms=5),
            key("rotate", next_rotation_ms=30),
            key("rotate-first", next_rotation_ms=20, account=ELSEWHERE),
            key("rotate-later", next_rotation_ms=31),
            key("rotate-not", next_rotation_ms=1, state=KeyState.DISABLED),
            key("expire", material_expires_ms=30, state=KeyState.DISABLED),
            key("expire-first", material_expires_ms=2),
            key("expire-later", material_expires_ms=31),
            key("expire-not", material_expires_ms=1, state=waiting, deletion_ms=99),
            key("rotate-and-expire", next_rotation_ms=25, material_expires_ms=25),
        )
        erased = ["delete-first", "delete"]
        rotated = ["rotate-first", "rotate-and-expire", "rotate"]
        assert ids(await bench.storage.keys.due(30, 9)) == [*erased, *rotated, "expire-first", "expire"]
        assert ids(await bench.storage.keys.due(30, 1)) == ["delete-first", "rotate-first", "expire-first"]
        assert await bench.storage.keys.due(1, 9) == []

    async def test_what_a_key_version_guards_comes_in_order(self, bench: Bench) -> None:
        await bench.add(
            guarded(2, "s2"),
            guarded(1, "s2"),
            guarded(10, "s1"),
            guarded(9, "s1"),
            guarded(3, "s3", key_version=2),
            guarded(4, "s4", key_id="another"),
            guarded(5, "s5", owner=ELSEWHERE),
        )

        async def found(number: int, after: tuple[str, str] = ("", ""), limit: int = 9) -> list[tuple[str, str]]:
            under = await bench.storage.keys.guarded("k", number, after, limit)
            return [(one.secret_id, one.id) for one in under]

        # One of another account is under it like the others: a key's id is that of no other key.
        ordered = [("s1", "v-10"), ("s1", "v-9"), ("s2", "v-1"), ("s2", "v-2"), ("s5", "v-5")]
        assert await found(1) == ordered
        assert await found(1, limit=3) == ordered[:3]
        assert await found(1, ("s1", "v-10")) == ordered[1:]
        assert await found(1, ("s2", "v-1")) == ordered[3:]
        assert await found(2) == [("s3", "v-3")]
        assert await found(3) == []

    async def test_what_a_key_guards_is_counted_up_to_a_limit(self, bench: Bench) -> None:
        await bench.add(*(guarded(number, f"s{number}", key_version=1 + number % 3) for number in range(1, 8)))
        await bench.add(guarded(8, "s8", key_id="another"), guarded(9, "s9", owner=ELSEWHERE))
        guards = bench.storage.keys.guards
        assert [await guards("k", limit) for limit in (1, 7, 8, 9)] == [1, 7, 8, 8]
        assert await guards("none", 9) == 0
        assert await guards("another", 9) == 1

    async def test_versions_that_need_another_root_are_found_in_order_of_key(self, bench: Bench) -> None:
        await bench.add(
            version(1, "k1", kek_id="old"),
            version(2, "k1", kek_id="older"),
            version(3, "k1", kek_id="new"),
            version(1, "k0", kek_id="old", account=ELSEWHERE),
            version(1, "k2", kek_id="old", state=KeyVersionState.DESTROYED),
            version(1, "k3", kek_id="old", state=KeyVersionState.ABSENT),
            version(1, "k4", kek_id="old"),
        )

        async def found(after: tuple[str, str, int], limit: int = 9) -> list[tuple[str, str, int]]:
            rows = await bench.storage.keys.wrapped_otherwise("new", after, limit)
            return [(one.account, one.key_id, one.version) for one in rows]

        ordered = [(HERE, "k1", 1), (HERE, "k1", 2), (HERE, "k3", 1), (HERE, "k4", 1), (ELSEWHERE, "k0", 1)]
        assert await found(("", "", 0)) == ordered
        assert await found(("", "", 0), 2) == ordered[:2]
        assert await found(ordered[1]) == ordered[2:]
        assert await bench.storage.keys.count_wrapped_otherwise("new") == 4, "without the one whose material is away"
        assert await bench.storage.keys.count_wrapped_otherwise("old") == 2

    @pytest.mark.parametrize(
        ("table", "column", "value"),
        [
            ("keys", "deletion_protection", 1),
            ("keys", "deletion_ms", 1),
            ("keys", "state", "pending-deletion"),
            ("key_versions", "public_key", b"another"),
            ("key_versions", "state", "destroyed"),
            ("aliases", "key_id", "another"),
            ("secret_versions", "number", 7),
        ],
    )
    async def test_an_edited_row_is_refused_in_every_list(
        self, world: StorageWorld, bench: Bench, table: str, column: str, value: str | int | bytes
    ) -> None:
        await bench.add(*samples.every_kind())
        await world.edit(table, column, value)
        keys = bench.storage.keys
        listed: dict[str, Callable[[], Awaitable[object]]] = {
            "keys": lambda: keys.page(HERE, "", 9),
            "key_versions": lambda: keys.versions(HERE, samples.KEY_ID, 9, 9),
            "aliases": lambda: keys.aliases(HERE, "", 9, None),
            "secret_versions": lambda: keys.guarded(samples.KEY_ID, 1, ("", ""), 9),
        }
        with pytest.raises(TamperedRecord):
            await listed[table]()
