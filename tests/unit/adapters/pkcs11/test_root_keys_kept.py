"""Root keys as objects of a module that does not do as it should: none is trusted, and none is left behind."""

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from pkcs11 import Attribute
from pkcs11.exceptions import AttributeReadOnly, AttributeSensitive, DeviceError

from secretsd.adapters.pkcs11 import attributes, guarding
from secretsd.adapters.pkcs11.faults import ModuleRefused
from secretsd.adapters.pkcs11.protection import FIXED, RENEWABLE, Protection
from secretsd.adapters.pkcs11.root_generation import keep_fixed

A = Attribute
KEPT = bytes(range(16))


class Key:
    """A root key that tells what it should, and whose copies may change what `loose` names."""

    def __init__(self, told: Mapping[A, Any], loose: A | None = None) -> None:
        self._told, self._loose = told, loose

    def __getitem__(self, attribute: A) -> Any:
        if attribute is A.VALUE:
            raise AttributeSensitive
        return self._told[attribute]

    def __setitem__(self, attribute: A, value: Any) -> None:
        raise AttributeReadOnly

    def copy(self, change: Mapping[A, Any]) -> "Key":
        if self._loose not in change:
            raise AttributeReadOnly
        return self

    def destroy(self) -> None:
        pass


@pytest.mark.parametrize("kept", [FIXED, RENEWABLE], ids=["fixed", "renewable"])
@pytest.mark.parametrize("loose", [A.ENCRYPT, A.DECRYPT, A.MODIFIABLE, A.UNWRAP_TEMPLATE])
def test_a_module_whose_copies_of_a_root_key_do_more_is_refused(kept: Protection, loose: A) -> None:
    attributes.require_honest_root_key(Key(kept.kek), kept.kek, kept.kek_looser, "the root KEK")
    with pytest.raises(ModuleRefused, match="the root KEK can be copied with other attributes"):
        attributes.require_honest_root_key(Key(kept.kek, loose), kept.kek, kept.kek_looser, "the root KEK")


def test_a_cmk_is_tried_as_its_own_root_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where both kinds of root are on one token, the newest one does not say how the other's keys are kept."""
    monkeypatch.setattr(guarding, "_untrusted_wrap_nothing", lambda *_: None)
    session: Any = SimpleNamespace(protection=RENEWABLE)
    root: Any = SimpleNamespace(protection=FIXED)
    kind: Any = None
    guarding.require_guarded(session, root, kind, Key(FIXED.loaded))
    with pytest.raises(ModuleRefused, match="a CMK can be copied with other attributes"):
        guarding.require_guarded(session, root, kind, Key(FIXED.loaded, loose=A.EXTRACTABLE))


class Token:
    """Objects of one token, in a session of it; `gone` are those that were destroyed, in order."""

    def __init__(self) -> None:
        self.objects: list[Part] = []
        self.gone: list[str] = []

    def get_objects(self, wanted: Mapping[A, Any]) -> Iterator["Part"]:
        assert wanted[A.TOKEN] is True
        yield from [one for one in self.objects if one.told[A.ID] == wanted[A.ID]]


class Part:
    """One of the two keys of a fixed root. It is copied onto the token, and fails as `fails` says after the work."""

    def __init__(self, token: Token, name: str, identifier: bytes = KEPT, fails: str = "") -> None:
        self.token, self.fails = token, fails
        self.told: dict[A, Any] = {A.ID: identifier, A.LABEL: f"secretsd root {name} 1"}

    def __getitem__(self, attribute: A) -> Any:
        return self.told[attribute]

    def copy(self, _template: Mapping[A, Any]) -> "Part":
        made = Part(self.token, self.told[A.LABEL].split()[2], self.told[A.ID])
        self.token.objects.append(made)
        if self.fails == "copy":
            raise DeviceError
        return made

    def destroy(self) -> None:
        if self.fails == "destroy":
            raise DeviceError
        if self in self.token.objects:
            self.token.objects.remove(self)
            self.token.gone.append(self.told[A.LABEL])


@pytest.mark.parametrize(("kek", "mac"), [("copy", ""), ("", "copy"), ("destroy", ""), ("", "destroy")])
def test_nothing_is_left_of_a_fixed_root_that_the_module_made_and_then_failed(kek: str, mac: str) -> None:
    token = Token()
    another = Part(token, "kek", bytes(16))
    token.objects.append(another)
    with pytest.raises(DeviceError):
        keep_fixed(token, Part(token, "kek", fails=kek), Part(token, "mac", fails=mac))
    assert token.objects == [another]
    assert token.gone == sorted(token.gone), "the KEK goes first"


def test_control_a_fixed_root_is_kept_where_nothing_fails() -> None:
    token = Token()
    keep_fixed(token, Part(token, "kek"), Part(token, "mac"))
    assert len(token.objects) == 2
