"""Who loses its keys when there is no more room."""

from dataclasses import replace

from secretsd.adapters.pkcs11.loaded_keys import LoadedKey, LoadedKeys
from secretsd.domain.keys import WrappedKey
from secretsd.testing import samples


class Object:
    """What a session object is to the list: something that can be destroyed."""

    def destroy(self) -> None:
        pass


def row(account: str, name: str) -> WrappedKey:
    return replace(samples.wrapped_key(), account=account, key_id=name)


def add(keys: LoadedKeys, account: str, name: str) -> list[str]:
    """Load a key; the names of those that are still there."""
    digest = f"{account}/{name}".encode()
    keys.make_room(digest, account)
    keys.add(digest, row(account, name), LoadedKey(Object(), None))
    return held(keys)


def held(keys: LoadedKeys) -> list[str]:
    return sorted(f"{one.account}/{one.key_id}" for one in keys.rows())


def test_within_an_account_the_least_recently_used_goes() -> None:
    keys = LoadedKeys(2)
    add(keys, "a", "1")
    add(keys, "a", "2")
    assert keys.get(b"a/1") is not None
    assert add(keys, "a", "3") == ["a/1", "a/3"]


def test_an_account_that_uses_many_keys_takes_no_room_from_one_that_uses_few() -> None:
    keys = LoadedKeys(4)
    add(keys, "small", "1")
    for number in range(20):
        assert "small/1" in add(keys, "big", str(number))
    assert len(keys) == 4


def test_whoever_comes_late_gets_a_share() -> None:
    keys = LoadedKeys(4)
    for number in range(4):
        add(keys, "big", str(number))
    add(keys, "late", "1")
    assert add(keys, "late", "2") == ["big/2", "big/3", "late/1", "late/2"]
    assert add(keys, "late", "3") == ["big/2", "big/3", "late/2", "late/3"], "no more than its share"


def test_among_equals_the_account_that_was_used_least_recently_goes() -> None:
    keys = LoadedKeys(3)
    for account in ("a", "b", "c"):
        add(keys, account, "1")
    assert keys.get(b"a/1") is not None
    assert add(keys, "d", "1") == ["a/1", "c/1", "d/1"]


def test_rows_outlive_their_objects() -> None:
    keys = LoadedKeys(3)
    add(keys, "a", "1")
    keys.drop_objects()
    assert keys.get(b"a/1") is None
    assert keys.row(b"a/1") == row("a", "1")
    assert keys.forget(b"a/1") is None
    assert keys.row(b"a/1") is None
