"""A secret and its owner: every operation on secrets as an act with its consequence, every value remembered."""

import base64
import random
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from secretsd.testing.daemon import secret_path
from secretsd.testing.kill_hunt import secret_states as states
from secretsd.testing.kill_hunt.caller import Caller
from secretsd.testing.kill_hunt.journal import Request
from secretsd.testing.kill_hunt.owner import ANYTHING, Act, Owner, State
from secretsd.testing.kill_hunt.plan import Kind

CUSTOM_STAGES = ("blue", "green")
LARGEST_VALUE_BYTES = 64 * 1024


class Values:
    """Every value that the hunt has sent, by version id, and names whose secrets may be read by anybody."""

    def __init__(self, default_key: str) -> None:
        self.default_key = default_key
        self.keys: list[str] = [default_key]
        self.names: list[str] = []
        self._sent: dict[str, bytes] = {}

    def draw(self, rng: random.Random) -> tuple[str, str, dict[str, str]]:
        """A fresh version id, its data type and the request's fields with a new random value."""
        version = str(uuid.UUID(int=rng.getrandbits(128), version=4))
        size = LARGEST_VALUE_BYTES if rng.random() < 0.01 else rng.randint(1, 600)
        if rng.random() < 0.2:
            self._sent[version] = rng.randbytes(size)
            return version, "binary", {"binary": base64.b64encode(self._sent[version]).decode(), "token": version}
        text = rng.randbytes((size + 1) // 2).hex()[:size]
        self._sent[version] = text.encode()
        return version, "text", {"text": text, "token": version}

    def wrong(self, body: Mapping[str, Any]) -> str:
        """What is wrong with a value that was answered, or nothing."""
        shown = base64.b64decode(body["binary"]) if "binary" in body else body.get("text", "").encode()
        return "" if self._sent.get(body["version_id"]) == shown else f"version {body['version_id']} has another value"


class SecretOwner(Owner):
    """Owns the secret of one name, through deletions and new beginnings."""

    def __init__(self, caller: Caller, rng: random.Random, account: str, values: Values, name: str) -> None:
        super().__init__(caller, rng, account)
        self._secret = name
        self._values = values
        self._acts: dict[Kind, Callable[[], Act]] = {
            Kind.READ: self._read,
            Kind.BATCH_READ: self._batch_read,
            Kind.PUT: self._put,
            Kind.CREATE: self._create,
            Kind.UPDATE: self._update,
            Kind.MOVE_STAGE: self._move_stage,
            Kind.DELETE: self._delete,
            Kind.RESTORE: self._restore,
            Kind.TAG: self._tag,
            Kind.ROTATE: self._rotate,
        }
        values.names.append(name)

    @property
    def name(self) -> str:
        """The secret."""
        return f"secret {self._secret}"

    def act(self, kind: Kind) -> Act:
        """An act of the kind, the secret brought into the state that it needs."""
        if kind is Kind.CREATE:
            if self.state:
                self.surely(self._delete(force=True))
            return self._create()
        if not self.state:
            self.surely(self._create())
        doomed = self.state["deletion_ms"] is not None
        if doomed and kind not in (Kind.RESTORE, Kind.DELETE):
            self.surely(self._restore())
        elif not doomed and kind is Kind.RESTORE:
            self.surely(self._delete(force=False))
        return self._acts[kind]()

    def under_key(self, key_id: str) -> Act:
        """Seal the secret anew under another key."""
        self.act(Kind.UPDATE)
        return Act(self._patch({"key_id": key_id}), lambda state, _: states.under_key(state, key_id))

    def observe(self, *, wholly: bool) -> State:
        """Describe, list all versions, and read those with a stage (or all of them); a doomed one shows no values."""
        body = self.ask(self._request("DescribeSecret", "GET"), "not-found")
        if body is None:
            return {}
        versions: dict[str, tuple[int, str, str]] = {}
        query: dict[str, Any] = {"include_unlabelled": "true"}
        while True:
            page = self.ask(self._request("ListSecretVersionIds", "GET", "versions", query=query)) or {}
            versions |= {one["id"]: (one["number"], one["data_type"], one["key_id"]) for one in page["versions"]}
            if "next_token" not in page:
                break
            query["next_token"] = page["next_token"]
        if len(versions) != body["version_count"]:
            self.journal.finding(f"{self.name} counts {body['version_count']} versions and lists {len(versions)}")
        for version in sorted(versions if wholly else set(body["stages"].values())):
            if "deletion_ms" in body:
                break
            shown = self.ask(self._request("GetSecretValue", "GET", "value", query={"version_id": version}))
            if shown is not None and (wrong := self._values.wrong(shown)):
                self.journal.finding(f"{self.name} is not as answered: {wrong}")
        return states.described(body, versions)

    def _request(self, operation: str, method: str, verb: str = "", **further: Any) -> Request:
        path = secret_path(self._secret, verb)
        return Request(operation, method, path, self.resource(f"secret/{self._secret}"), **further)

    def _patch(self, body: Mapping[str, Any], token: str = "") -> Request:
        return self._request("UpdateSecret", "PATCH", body=body, token=token)

    def _read(self) -> Act:
        query = None
        if self.rng.random() < 0.3:
            query = {"version_id": self.rng.choice(list(self.state["versions"]))}
        return Act(self._request("GetSecretValue", "GET", "value", query=query), _same, self._values.wrong)

    def _batch_read(self) -> Act:
        others = self.rng.sample(self._values.names, min(5, len(self._values.names)))
        names = list(dict.fromkeys([self._secret, *others]))

        def check(body: Mapping[str, Any]) -> str:
            wrong = [sentence for one in body["values"] if (sentence := self._values.wrong(one))]
            missing = set(names) - {one["name"] for one in (*body["values"], *body["errors"])}
            return "; ".join(wrong + [f"{len(missing)} names are missing"] * bool(missing))

        request = Request(
            "BatchGetSecretValue", "POST", "/v1/secrets:batch-value", self.resource("secret/*"), {"names": names}
        )
        return Act(request, _same, check)

    def _put(self) -> Act:
        version, data_type, value = self._values.draw(self.rng)
        stages = self.rng.choice([("current",), ("current",), ("pending",), ("blue",), ("current", "green")])
        request = self._request("PutSecretValue", "PUT", "value", body={**value, "stages": stages}, token=version)
        return Act(request, lambda state, _: states.with_version(state, version, data_type, stages))

    def _create(self) -> Act:
        version, data_type, value = self._values.draw(self.rng)
        description, tags = f"made with {version}", {"made": version}
        body = {"name": self._secret, "description": description, "tags": tags, **value}

        def after(state: State, answer: Mapping[str, Any] | None) -> State:
            id = ANYTHING if answer is None else answer["id"]
            return states.created(id, self._values.default_key, description, tags, version, data_type)

        resource = self.resource(f"secret/{self._secret}")
        return Act(Request("CreateSecret", "POST", "/v1/secrets", resource, body, token=version), after)

    def _update(self) -> Act:
        chance = self.rng.random()
        version, data_type, value = self._values.draw(self.rng)
        if chance < 0.4:
            return Act(
                self._patch(value, version),
                lambda state, _: states.with_version(state, version, data_type, ["current"]),
            )
        if chance < 0.7:
            key_id = self.rng.choice(self._values.keys)
            return Act(self._patch({"key_id": key_id}), lambda state, _: states.under_key(state, key_id))
        description = f"changed with {version}"
        return Act(
            self._patch({**value, "description": description}, version),
            lambda state, _: states.with_version(
                {**state, "description": description}, version, data_type, ["current"]
            ),
        )

    def _move_stage(self) -> Act:
        stage = self.rng.choice(("current", *CUSTOM_STAGES))
        version = self.rng.choice(list(self.state["versions"]))
        body = {"stage": stage, "move_to": version}
        if stage in self.state["stages"]:
            body["remove_from"] = self.state["stages"][stage]
        request = self._request("UpdateSecretVersionStage", "POST", "move-stage", body=body)
        return Act(request, lambda state, _: states.with_stage(state, stage, version))

    def _delete(self, force: bool | None = None) -> Act:
        doomed = self.state["deletion_ms"] is not None
        if force or doomed or (force is None and self.rng.random() < 0.3):
            return Act(self._request("DeleteSecret", "DELETE", query={"force": "true"}), lambda state, _: {})
        return Act(
            self._request("DeleteSecret", "DELETE", query={"recovery_window_days": self.rng.randint(7, 30)}),
            lambda state, answer: states.doomed(state, None if answer is None else answer["deletion_ms"]),
        )

    def _restore(self) -> Act:
        return Act(self._request("RestoreSecret", "POST", "restore"), lambda state, _: {**state, "deletion_ms": None})

    def _tag(self) -> Act:
        path, resource = f"/v1/tags/secret/{self._secret}", self.resource(f"secret/{self._secret}")
        tags = self.state["tags"]
        if len(tags) > 5 or (tags and self.rng.random() < 0.3):
            gone = self.rng.choice(list(tags))
            request = Request("UntagResource", "POST", path + ":remove", resource, {"keys": [gone]})
            return Act(
                request, lambda state, _: {**state, "tags": {k: v for k, v in state["tags"].items() if k != gone}}
            )
        added = {f"tag-{self.rng.randint(1, 8)}": f"{self.rng.getrandbits(32):08x}"}
        request = Request("TagResource", "POST", path, resource, {"tags": added})
        return Act(request, lambda state, _: {**state, "tags": {**state["tags"], **added}})

    def _rotate(self) -> Act:
        every_seconds = 86_400 + self.rng.randint(0, 86_400)  # far away: here the settings matter, not the rotation
        body = {"rotator": "random", "schedule": {"every_seconds": every_seconds}, "rotate_immediately": False}
        return Act(
            self._request("RotateSecret", "POST", "rotate", body=body),
            lambda state, _: states.rotating(state, every_seconds),
            refusals=frozenset({"conflict"}),  # what checks the settings may be what is killed
        )


def _same(state: State, _answer: Mapping[str, Any] | None) -> State:
    return state
