"""SECURITY 1: whoever holds the token and its user PIN cannot carry the root key away, nor loosen what guards it.

The adversary has the PKCS#11 library, the PIN and all the time in the world; he runs his own program against the token.
"""

import json
import re
import subprocess
import sys

import pytest

from secretsd.testing.softhsm import SoftHSM

pytestmark = pytest.mark.integration
# Says as JSON what each attempt brought: "yes", or the name of the module's refusal.
THIEF = """
import json, os, sys
module, label, pin = json.load(sys.stdin)
import pkcs11
from pkcs11 import Attribute as A, KeyType, ObjectClass, Mechanism, MechanismFlag as F
from pkcs11.exceptions import PKCS11Error
from secretsd.adapters.pkcs11.attributes import Mapper

session = pkcs11.lib(module).get_token(token_label=label).open(rw=True, user_pin=pin, attribute_mapper=Mapper())
told = {}

def attempt(what, act):
    try:
        result = act()
    except (PKCS11Error, NotImplementedError, AttributeError) as refused:
        told[what] = type(refused).__name__
        return None
    told[what] = "yes" if result is None or isinstance(result, (bool, int)) else "yes " + type(result).__name__
    return result

mine = session.generate_key(KeyType.AES, 256, capabilities=F.WRAP | F.UNWRAP | F.ENCRYPT | F.DECRYPT)
open_key = session.generate_key(
    KeyType.AES, 256, template={A.EXTRACTABLE: True, A.SENSITIVE: False}, capabilities=F.ENCRYPT)
attempt("control: read an open key", lambda: open_key[A.VALUE])
attempt("control: wrap an open key", lambda: mine.wrap_key(open_key))

roots = [key for key in session.get_objects() if key[A.TOKEN]]
told["objects"] = sorted(str(key[A.LABEL]) for key in roots)
told["public objects"] = [str(key[A.LABEL]) for key in roots if not key[A.PRIVATE]]
for key in roots:
    name = str(key[A.LABEL])
    attempt(f"{name}: read its value", lambda: key[A.VALUE])
    attempt(f"{name}: wrap it under my key", lambda: mine.wrap_key(key))
    for flag, value in ((A.SENSITIVE, False), (A.WRAP_WITH_TRUSTED, False), (A.EXTRACTABLE, True), (A.DECRYPT, True),
                        (A.ENCRYPT, True), (A.WRAP, True), (A.MODIFIABLE, True), (A.COPYABLE, True)):
        before = None
        try:
            before = key[flag]
        except PKCS11Error:
            pass
        if before == value:
            continue
        def set_it(key=key, flag=flag, value=value):
            key[flag] = value
        attempt(f"{name}: set {flag.name}", set_it)
    for changes in ({A.SENSITIVE: False}, {A.WRAP_WITH_TRUSTED: False},
                    {A.EXTRACTABLE: True, A.WRAP_WITH_TRUSTED: False}, {A.WRAP_TEMPLATE: {A.ENCRYPT: False}},
                    {A.UNWRAP_TEMPLATE: {A.SENSITIVE: False}}, {A.TOKEN: False, A.DECRYPT: True}, {A.TOKEN: False}):
        copy = attempt(f"{name}: copy with " + " ".join(flag.name for flag in changes), lambda: key.copy(changes))
        if copy is not None:
            attempt(f"{name}: read the copy", lambda: copy[A.VALUE])
            attempt(f"{name}: wrap the copy", lambda: mine.wrap_key(copy))
            if "kek" in name:
                attempt(f"{name}: wrap it under the copy", lambda: copy.wrap_key(
                    key, mechanism=Mechanism.AES_KEY_WRAP_PAD))
                attempt(f"{name}: decrypt with the copy", lambda: copy.decrypt(b"x" * 16, mechanism=Mechanism.AES_ECB))
    attempt(f"{name}: decrypt with it", lambda: key.decrypt(b"x" * 48, mechanism_param=b"0" * 16))

# What the root KEK wrapped, taken out again under looser rules: its unwrap template must have the last word.
guarded = {A.SENSITIVE: True, A.EXTRACTABLE: True, A.WRAP_WITH_TRUSTED: True}
kek = next(key for key in roots if "kek" in key[A.LABEL])
cmk = session.generate_key(
    KeyType.AES, 256, label="a cmk", template=guarded, capabilities=F.ENCRYPT | F.DECRYPT)
for victim in (*roots, cmk):
    name = str(victim[A.LABEL])
    blob = attempt(
        f"{name}: wrap it under the root", lambda: kek.wrap_key(victim, mechanism=Mechanism.AES_KEY_WRAP_PAD))
    if blob is None:
        continue
    for number, looser in enumerate((
        guarded,
        {**guarded, A.SENSITIVE: False},
        {**guarded, A.WRAP_WITH_TRUSTED: False},
        {**guarded, A.SENSITIVE: False, A.WRAP_WITH_TRUSTED: False},
        {**guarded, A.EXTRACTABLE: False},
        {A.EXTRACTABLE: True},
        {},
    )):
        for kind in (KeyType.AES, KeyType.GENERIC_SECRET):
            taken = attempt(
                f"{name}: unwrap {number} as {kind.name}",
                lambda: kek.unwrap_key(
                    ObjectClass.SECRET_KEY, kind, blob, mechanism=Mechanism.AES_KEY_WRAP_PAD, template=looser))
            if taken is not None:
                attempt(f"{name} {number} {kind.name}: read its value", lambda: taken[A.VALUE])
                attempt(f"{name} {number} {kind.name}: wrap it under my key", lambda: mine.wrap_key(taken))

def make_trusted():
    mine[A.TRUSTED] = True
attempt("call my own key trusted", make_trusted)
attempt("make a trusted key", lambda: session.generate_key(
    KeyType.AES, 256, template={A.TRUSTED: True}, capabilities=F.WRAP | F.UNWRAP))
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def stolen(tmp_path_factory):
    """What the thief's program tells about a fresh token."""
    token = SoftHSM.create(tmp_path_factory.mktemp("token"))
    ran = subprocess.run(
        [sys.executable, "-I", "-c", THIEF],
        input=json.dumps([token.module, token.token_label, token.pin]),
        env={**token.environment, "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_the_thief_can_take_what_is_not_guarded(stolen):
    assert stolen["control: read an open key"].startswith("yes")
    assert stolen["control: wrap an open key"].startswith("yes")


def test_the_token_holds_the_root_key_and_its_mac_key_and_nothing_in_clear(stolen):
    assert len(stolen["objects"]) == 2
    assert stolen["public objects"] == []


@pytest.mark.parametrize(
    "what",
    [
        "read its value",
        "wrap it under my key",
        "read the copy",
        "wrap the copy",
        "decrypt with it",
        "wrap it under the copy",
        "decrypt with the copy",
    ],
)
def test_neither_root_object_gives_its_material(stolen, what):
    tried = {name: told for name, told in stolen.items() if name.endswith(": " + what)}
    assert tried or "copy" in what
    assert {name: told for name, told in tried.items() if told.startswith("yes")} == {}


def test_what_the_root_wrapped_comes_back_only_as_guarded_as_it_was(stolen):
    """With the rules it always had it can be unwrapped; that is how the daemon loads a key. Never with looser ones."""
    unwrapped = {name for name, told in stolen.items() if ": unwrap " in name and told.startswith("yes")}
    assert "a cmk: unwrap 0 as AES" in unwrapped
    assert not [name for name in unwrapped if re.search("unwrap [123] ", name)]


def test_the_root_wraps_no_root(stolen):
    """Its own blob could be unwrapped as a key that decrypts, and with that every CMK's blob in software."""
    assert stolen["a cmk: wrap it under the root"].startswith("yes")
    for name in ("secretsd root kek 1", "secretsd root mac 1"):
        assert stolen[f"{name}: wrap it under the root"] == "KeyNotWrappable"


def test_nothing_that_guards_them_can_be_loosened(stolen):
    tried = {name: told for name, told in stolen.items() if ": set " in name}
    assert len(tried) >= 8
    assert {name: told for name, told in tried.items() if told.startswith("yes")} == {}


def test_no_key_of_the_thief_becomes_a_trusted_one(stolen):
    for name in ("call my own key trusted", "make a trusted key"):
        assert not stolen[name].startswith("yes")
