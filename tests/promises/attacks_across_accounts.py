"""Edits of the storage's files that would let somebody use what others own: grants, policies of resources."""

from secretsd.testing.policies import document
from tests.promises.attacks import Attack


class WidensAGrant(Attack):
    """From an operation that tells little to one that tells all."""

    def prepare(self, target):
        self.token = target.user("grantee")
        self.key = target.ok("POST", "/v1/keys", {})["id"]
        granted = {"grantee": f"secretsd:{target.account}:user/grantee", "operations": ["DescribeKey"]}
        self.grant = target.ok("POST", f"/v1/keys/{self.key}:create-grant", granted)["id"]
        assert target.daemon.call("GET", f"/v1/keys/{self.key}", token=self.token).status == 200

    def edit(self, target):
        change = ("""UPDATE grants SET operations = '["Encrypt"]' WHERE id = ?""", (self.grant,))
        assert target.files.write(change, told=[("grants", [target.account, self.key, self.grant])])

    def hope(self, target):
        body = {"plaintext": "eA=="}
        return [target.daemon.call("POST", f"/v1/keys/{self.key}:encrypt", body, token=self.token)]


class GivesAGrantToAnother(WidensAGrant):
    """To the administrator of another account."""

    def prepare(self, target):
        self.key = target.ok("POST", "/v1/keys", {})["id"]
        granted = {"grantee": f"secretsd:{target.other}:user/nobody", "operations": ["Encrypt"]}
        self.grant = target.ok("POST", f"/v1/keys/{self.key}:create-grant", granted)["id"]

    def edit(self, target):
        boss = f"secretsd:{target.other}:user/boss"
        change = ("UPDATE grants SET grantee = ? WHERE id = ?", (boss, self.grant))
        assert target.files.write(change, told=[("grants", [target.account, self.key, self.grant])])

    def hope(self, target):
        path = f"/v1/keys/secretsd%3A{target.account}%3Akey%2F{self.key}:encrypt"
        return [target.daemon.call("POST", path, {"plaintext": "eA=="}, token=target.other_token)]


class LetsOthersReadASecret(Attack):
    """By the secret's own policy."""

    def prepare(self, target):
        self.token = target.user("uninvited")
        self.secret = target.create("guest", "plaintext of guest")["id"]
        guest = f"secretsd:{target.account}:user/guest"
        policy = {"effect": "Allow", "action": ["GetSecretValue"], "principal": [guest]}
        path = "/v1/resource-policies/secret/guest"
        target.ok("PUT", path, {"document": document(policy)})
        assert target.get("guest", self.token).status == 403

    def edit(self, target):
        change = (
            "UPDATE resource_policies SET statements = replace(statements, 'user/guest', 'user/uninvited')",
            (),
        )
        told = [("resource_policies", [target.account, f"secret-id/{self.secret}"])]
        assert target.files.write(change, told=told)

    def hope(self, target):
        return [target.get("guest", self.token)]


class RemovesADenyOfAResource(Attack):
    """The secret itself says that it has a policy: one that is gone may have been the one that denied."""

    kinds = frozenset({"access-denied"})
    loud = ""

    def prepare(self, target):
        self.token = target.user("unwelcome", {"effect": "Allow", "action": ["*"], "resource": ["*"]})
        self.secret = target.create("closed", "plaintext of closed")["id"]
        denied = f"secretsd:{target.account}:user/unwelcome"
        policy = document({"effect": "Deny", "action": ["*"], "principal": [denied]})
        target.ok("PUT", "/v1/resource-policies/secret/closed", {"document": policy})

    def edit(self, target):
        stored = f"secret-id/{self.secret}"
        change = ("DELETE FROM resource_policies WHERE resource = ?", (stored,))
        assert target.files.write(change, told=[("resource_policies", [target.account, stored])])

    def hope(self, target):
        return [target.get("closed", self.token)]


ATTACKS = [RemovesADenyOfAResource, WidensAGrant, GivesAGrantToAnother, LetsOthersReadASecret]
