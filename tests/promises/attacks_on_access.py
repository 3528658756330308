"""Edits of the storage's files that would give a right: tokens, bindings, users, policies."""

import hashlib

from secretsd.testing.intruder import as_user
from secretsd.testing.policies import document
from tests.promises.attacks import Attack

FORGED_TOKEN = "secretsd_" + "F" * 43


class InsertsAToken(Attack):
    def edit(self, target):
        digest = hashlib.sha256(FORGED_TOKEN.encode()).hexdigest()
        mac = target.files.read("SELECT row_mac FROM tokens WHERE user = 'admin' LIMIT 1")[0][0]
        row = (digest, "t-forged", target.account, "admin", 1, None, 0, mac, "", 0, "")
        target.files.write(
            ("INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row), told=[("tokens", [digest])]
        )

    def hope(self, target):
        return [target.get("plain", FORGED_TOKEN), target.daemon.call("GET", "/v1/users", token=FORGED_TOKEN)]


class PointsATokenAtTheAdministrator(Attack):
    def prepare(self, target):
        self.token = target.user("climber")

    def edit(self, target):
        digest = hashlib.sha256(self.token.encode()).hexdigest()
        change = ("UPDATE tokens SET user = 'admin' WHERE digest = ?", (digest,))
        assert target.files.write(change, told=[("tokens", [digest])])

    def hope(self, target):
        return [target.get("plain", self.token), target.daemon.call("GET", "/v1/users", token=self.token)]


class ProlongsAToken(Attack):
    def prepare(self, target):
        target.user("late")
        self.token = target.ok("POST", "/v1/users/late:create-token", {"ttl_seconds": 1})["token"]

    def edit(self, target):
        digest = hashlib.sha256(self.token.encode()).hexdigest()
        change = ("UPDATE tokens SET expires_ms = NULL WHERE digest = ?", (digest,))
        assert target.files.write(change, told=[("tokens", [digest])])

    def hope(self, target):
        return [target.daemon.call("GET", "/v1/caller-identity", token=self.token)]


class BindsAUid(Attack):
    def edit(self, target):
        proof = "unix:uid/65534"
        mac = target.files.read("SELECT row_mac FROM bindings LIMIT 1")[0][0]
        row = (proof, target.account, "admin", 1, 0, mac, "")
        target.files.write(("INSERT INTO bindings VALUES (?, ?, ?, ?, ?, ?, ?)", row), told=[("bindings", [proof])])

    def hope(self, target):
        return [as_user(65534, lambda: target.daemon.call("GET", "/v1/caller-identity"))]


class RaisesAUsersPolicies(Attack):
    def prepare(self, target):
        self.token = target.user("riser")
        assert target.get("plain", self.token).status == 403

    def edit(self, target):
        change = ("""UPDATE users SET policies = '["administrator"]' WHERE name = 'riser'""", ())
        assert target.files.write(change, told=[("users", [target.account, "riser"])])

    def hope(self, target):
        return [target.get("plain", self.token)]


class WidensAPolicy(Attack):
    def prepare(self, target):
        self.token = target.user(
            "wide", {"effect": "Allow", "action": ["GetSecretValue"], "resource": ["secret/nothing"]}
        )

    def edit(self, target):
        change = (
            "UPDATE policies SET statements = replace(statements, 'secret/nothing', '*') WHERE name = 'of-wide'",
            (),
        )
        assert target.files.write(change, told=[("policies", [target.account, "of-wide"])])

    def hope(self, target):
        return [target.get("plain", self.token)]


class RemovesADeny(Attack):
    kinds = frozenset({"access-denied"})
    loud = ""  # a row that is gone proves nothing by itself; it opens nothing either, which is what counts here

    def prepare(self, target):
        self.token = target.user("free", {"effect": "Allow", "action": ["*"], "resource": ["*"]})
        deny = {"effect": "Deny", "action": ["*"], "resource": ["secret/plain"]}
        target.ok("POST", "/v1/policies", {"policy": "no-plain", "document": document(deny)})
        target.ok("POST", "/v1/users/free:attach-policy", {"policy": "no-plain"})

    def edit(self, target):
        change = ("DELETE FROM policies WHERE name = 'no-plain'", ())
        assert target.files.write(change, told=[("policies", [target.account, "no-plain"])])

    def hope(self, target):
        return [target.get("plain", self.token)]


ATTACKS = [
    InsertsAToken, PointsATokenAtTheAdministrator, ProlongsAToken, BindsAUid, RaisesAUsersPolicies, WidensAPolicy,
    RemovesADeny,
]  # fmt: skip
