"""Edits of the storage's files that would serve another value, or a locked one: stages, values, keys, rotations."""

import json
from dataclasses import replace

from secretsd.domain.keys import CMK, KeyState
from secretsd.testing.daemon import secret_path
from tests.promises.attacks import Attack


class MovesAStage(Attack):
    def prepare(self, target):
        self.old = target.create("staged", "old plaintext of staged")["version_id"]
        self.new = target.ok("PUT", secret_path("staged", "value"), {"text": "new plaintext of staged"})["version_id"]

    def edit(self, target):
        stages = json.dumps({"current": self.old, "previous": self.new})
        change = ("UPDATE secrets SET stages = ? WHERE name = 'staged'", (stages,))
        assert target.files.write(change, told=[("secrets", [target.account, "staged"])])

    def hope(self, target):
        return [target.get("staged"), target.get("staged", version_id=self.new)]


class SwapsTwoValues(Attack):
    def prepare(self, target):
        for name in ("left", "right"):
            target.create(name, f"plaintext of {name}", token="same-version")

    def edit(self, target):
        sealed = "SELECT data_key, value, secret_id FROM secret_values WHERE version_id = 'same-version'"
        (*one, left), (*two, right) = target.files.read(sealed)
        change = "UPDATE secret_values SET (data_key, value) = (?, ?) WHERE secret_id = ?"
        told = [("secret_values", [target.account, secret_id, "same-version"]) for secret_id in (left, right)]
        assert target.files.write((change, [*one, right]), (change, [*two, left]), told=told) == 2

    def hope(self, target):
        return [target.get("left"), target.get("right")]


class SwapsTwoVersions(Attack):
    def prepare(self, target):
        self.versions = [target.create("versions", "plaintext of versions first")["version_id"]]
        self.versions.append(
            target.ok("PUT", secret_path("versions", "value"), {"text": "plaintext of versions second"})["version_id"]
        )

    def edit(self, target):
        one, two = self.versions
        names = [(one, "swap"), (two, one), ("swap", two)]
        changes = [("UPDATE secret_values SET version_id = ? WHERE version_id = ?", (new, old)) for old, new in names]
        ((secret_id,),) = target.files.read("SELECT id FROM secrets WHERE name = 'versions'")
        told = [("secret_values", [target.account, secret_id, version]) for version in self.versions]
        assert target.files.write(*changes, told=told) == 3

    def hope(self, target):
        return [target.get("versions"), target.get("versions", stage="previous")]


class RenamesASecret(Attack):
    def prepare(self, target):
        target.create("renamed/high", "plaintext of high")
        self.token = target.user(
            "lowly", {"effect": "Allow", "action": ["GetSecretValue"], "resource": ["secret/renamed/low"]}
        )

    def edit(self, target):
        change = ("UPDATE secrets SET name = 'renamed/low' WHERE name = 'renamed/high'", ())
        told = [("secrets", [target.account, f"renamed/{name}"]) for name in ("high", "low")]
        assert target.files.write(change, told=told)

    def hope(self, target):
        return [target.get("renamed/low", self.token), target.get("renamed/low")]


class MovesASecretToAnotherAccount(Attack):
    def prepare(self, target):
        self.id = target.create("foreign", "plaintext of foreign")["id"]

    def edit(self, target):
        changes = [
            (f"UPDATE {table} SET account = ? WHERE {key} = ?", (target.other, self.id))
            for table, key in (("secrets", "id"), ("secret_versions", "secret_id"), ("secret_values", "secret_id"))
        ]
        told = [("secrets", [account, "foreign"]) for account in (target.account, target.other)]
        assert target.files.write(*changes, told=told) == 3

    def hope(self, target):
        return [target.get("foreign", target.other_token)]


class CopiesAValueIntoAnotherAccount(Attack):
    """The sealed value alone, under a row of the adversary's own account that is authentic."""

    def prepare(self, target):
        target.create("mine", "plaintext of mine", token="v-copied")
        theirs = {"name": "mine", "text": "bait", "token": "v-copied"}
        target.ok("POST", "/v1/secrets", theirs, token=target.other_token)

    def edit(self, target):
        change = (
            """UPDATE secret_values SET (data_key, value) =
                 (SELECT data_key, value FROM secret_values WHERE version_id = 'v-copied' AND account = ?)
               WHERE version_id = 'v-copied' AND account = ?""",
            (target.account, target.other),
        )
        ((secret_id,),) = target.files.read("SELECT id FROM secrets WHERE name = 'mine' AND account = ?", target.other)
        assert target.files.write(change, told=[("secret_values", [target.other, secret_id, "v-copied"])]) == 1

    def hope(self, target):
        return [target.get("mine", target.other_token)]


class EnablesADisabledKey(Attack):
    def prepare(self, target):
        self.key = target.ok("POST", "/v1/keys", {})["id"]
        target.create("locked", "plaintext of locked", key_id=self.key)
        key = target.files.record(CMK, target.account, self.key)
        disabled = replace(key.become(KeyState.DISABLED), revision=key.revision + 1)
        target.files.put(target.authenticator(), disabled)
        assert target.get("locked").kind == "key-disabled"

    def edit(self, target):
        change = ("UPDATE keys SET state = 'enabled' WHERE id = ?", (self.key,))
        assert target.files.write(change, told=[("keys", [target.account, self.key])])

    def hope(self, target):
        return [target.get("locked")]


class SwapsWrappedKeys(Attack):
    """The rows' own authenticators go with them, so only the account and key inside the HSM's MAC can tell."""

    kinds = frozenset({"internal"})

    def prepare(self, target):
        self.keys = [target.ok("POST", "/v1/keys", {})["id"] for _ in range(2)]
        for name, key in zip(("under-one", "under-two"), self.keys, strict=True):
            target.create(name, f"plaintext of {name}", key_id=key)

    def edit(self, target):
        one, two = self.keys
        names = [(one, "swap"), (two, one), ("swap", two)]
        changes = [("UPDATE key_versions SET key_id = ? WHERE key_id = ?", (new, old)) for old, new in names]
        told = [("key_versions", [target.account, key, "1"]) for key in self.keys]
        assert target.files.write(*changes, told=told) == 3

    def hope(self, target):
        put = {"text": "new value"}
        return [target.get("under-one"), target.daemon.call("PUT", secret_path("under-two", "value"), put)]


class MovesTheDefaultKey(Attack):
    """To make a customer's key the default one would free its secrets of the permission on the key."""

    def prepare(self, target):
        self.key = target.ok("POST", "/v1/keys", {}, token=target.other_token)["id"]

    def edit(self, target):
        change = ("UPDATE accounts SET default_key_id = ? WHERE id = ?", (self.key, target.other))
        assert target.files.write(change, told=[("accounts", [target.other])])

    def hope(self, target):
        body = {"name": "any", "text": "plaintext of any"}
        return [target.daemon.call("POST", "/v1/secrets", body, token=target.other_token)]


class ChangesARotation(Attack):
    def prepare(self, target):
        target.create("rotating", "plaintext of rotating")
        body = {"rotator": "random", "rotate_immediately": False, "schedule": {"every_seconds": 100_000}}
        target.ok("POST", secret_path("rotating", "rotate"), body)

    def edit(self, target):
        change = ("""UPDATE rotations SET settings = '{"length":1}' WHERE secret_name = 'rotating'""", ())
        ((secret_id,),) = target.files.read("SELECT id FROM secrets WHERE name = 'rotating'")
        assert target.files.write(change, told=[("rotations", [target.account, secret_id])])

    def hope(self, target):
        return [
            target.daemon.call("POST", secret_path("rotating", "rotate"), {}),
            target.daemon.call("GET", secret_path("rotating")),
        ]


ATTACKS = [
    MovesAStage, SwapsTwoValues, SwapsTwoVersions, RenamesASecret, MovesASecretToAnotherAccount,
    CopiesAValueIntoAnotherAccount, EnablesADisabledKey, SwapsWrappedKeys, ChangesARotation,
]  # fmt: skip
