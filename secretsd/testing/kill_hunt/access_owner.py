"""A user and all that hangs on one: policy, tokens, binding. And the ring of keys, which only ever grows."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from secretsd.domain import policy_document
from secretsd.domain.policy import Effect, Statement
from secretsd.testing.kill_hunt.caller import Caller
from secretsd.testing.kill_hunt.journal import Request
from secretsd.testing.kill_hunt.owner import ANYTHING, AWAY, Act, Away, Owner, State
from secretsd.testing.kill_hunt.plan import Kind

Body = Mapping[str, Any] | None
FIRST_UID = 2_000_000
_STATEMENT = Statement(Effect.ALLOW, ("GetRandomPassword",), ("password",))
_DOCUMENT = policy_document.text((_STATEMENT,))


class AccessOwner(Owner):
    """Walks one user after the other through their lives; `elder` are those whose lives are over, to be verified."""

    def __init__(self, caller: Caller, rng: random.Random, account: str, number: int) -> None:
        super().__init__(caller, rng, account)
        self._number = number
        self._generation = 0
        self._steps: Iterator[str] = iter(())
        self._tokens: dict[str, tuple[str, str]] = {}
        self.state = _nobody()
        self.elder: list[tuple[int, State]] = []

    @property
    def name(self) -> str:
        """The user of now."""
        return f"user {self._user}"

    @property
    def _user(self) -> str:
        return f"user-{self._number}-{self._generation}"

    @property
    def _policy(self) -> str:
        return f"policy-{self._number}-{self._generation}"

    @property
    def _proof(self) -> str:
        return f"unix:uid/{FIRST_UID + 100_000 * self._number + self._generation}"

    def act(self, kind: Kind) -> Act:
        """The next thing that this user has not had yet."""
        while True:
            for step in self._steps:
                act = self._act(step)
                if act is not None:
                    return act
            if self._generation:
                self.elder.append((self._generation, self.state))
            self._generation += 1
            self.state = _nobody()
            self._steps = iter(
                ("user", "policy", "attach", "token", "binding", "token", "end-token", "unbind", "detach", "attach")
            )

    def observe(self, *, wholly: bool) -> State:
        """All five kinds of record."""
        user = self.ask(self._of_user("DescribeUser", "GET"), "not-found")
        tokens = self.ask(self._of_user("ListTokens", "GET", "tokens"), "not-found") or {"tokens": ()}
        listed = [token["id"] for token in tokens["tokens"]]
        if wholly:
            self._try_tokens(listed, () if user is None else user["policies"])
        policy = self.ask(self._of_policy("GetPolicy", "GET", f"/v1/policies/{self._policy}"), "not-found")
        return {
            "user": None if user is None else list(user["policies"]),
            "tokens": listed,
            "policy": None if policy is None else policy["document"],
            "binding": self._bound(),
        }

    def verify(self, *, wholly: bool) -> None:
        """This user and, wholly, all before it."""
        super().verify(wholly=wholly)
        if wholly:
            now = self._generation, self.state
            for generation, state in self.elder:
                self._generation, self.state = generation, state
                super().verify(wholly=True)
            self._generation, self.state = now

    def _try_tokens(self, listed: Sequence[str], policies: Sequence[str]) -> None:
        """A token that is listed proves its user, who may do what the policy says; an ended one proves nothing."""
        for id, (user, token) in self._tokens.items():
            if user != self._user:
                continue
            expected = "unauthenticated" if id not in listed else "ok" if policies else "access-denied"
            resource = "" if expected == "unauthenticated" else self.resource("password")
            request = Request("GetRandomPassword", "POST", "/v1/passwords:random", resource, {}, bearer=token)
            answer = self.caller.call(request)
            if answer.kind in AWAY:
                raise Away
            if (answer.kind or "ok") != expected:
                self.journal.finding(f"a token of {self.name} gives {answer.kind or 'ok'} instead of {expected}")

    def _bound(self) -> bool:
        query: dict[str, Any] = {"limit": 100}
        while True:
            request = Request("ListBindings", "GET", "/v1/bindings", self.resource("binding/*"), query=query)
            page = self.ask(request) or {}
            if any(one["proof"] == self._proof and one.get("user") == self._user for one in page["bindings"]):
                return True
            if "next_token" not in page:
                return False
            query["next_token"] = page["next_token"]

    def _of_user(self, operation: str, method: str, verb: str = "", body: Any = None) -> Request:
        path = f"/v1/users/{self._user}" + (f":{verb}" if verb else "")
        return Request(operation, method, path, self.resource(f"user/{self._user}"), body)

    def _of_policy(self, operation: str, method: str, path: str, body: Any = None) -> Request:
        return Request(operation, method, path, self.resource(f"policy/{self._policy}"), body)

    def _act(self, step: str) -> Act | None:
        """The act of a step; None where what it needs was lost to a kill."""
        has_user, has_policy = self.state["user"] is not None, self.state["policy"] is not None
        attach = {"policy": self._policy}
        match step:
            case "user" if not has_user:
                request = Request(
                    "CreateUser", "POST", "/v1/users", self.resource(f"user/{self._user}"), {"user": self._user}
                )
                return Act(request, lambda state, _: {**state, "user": []})
            case "policy" if not has_policy:
                body = {"policy": self._policy, "document": _DOCUMENT}
                request = self._of_policy("CreatePolicy", "POST", "/v1/policies", body)
                return Act(request, lambda state, _: {**state, "policy": _DOCUMENT})
            case "attach" if has_user and has_policy and not self.state["user"]:
                request = self._of_user("AttachPolicy", "POST", "attach-policy", attach)
                return Act(request, lambda state, _: {**state, "user": [self._policy]})
            case "detach" if self.state["user"]:
                request = self._of_user("DetachPolicy", "POST", "detach-policy", attach)
                return Act(request, lambda state, _: {**state, "user": []})
            case "token" if has_user:
                return Act(self._of_user("CreateToken", "POST", "create-token", {}), self._with_token)
            case "end-token" if self.state["tokens"]:
                gone = self.state["tokens"][0]
                request = self._of_user("DeleteToken", "POST", "delete-token", {"id": gone})
                return Act(request, lambda state, _: {**state, "tokens": [t for t in state["tokens"] if t != gone]})
            case "binding" if has_user and not self.state["binding"]:
                return self._bind("CreateBinding", "/v1/bindings", {"proof": self._proof, "user": self._user}, True)
            case "unbind" if self.state["binding"]:
                return self._bind("DeleteBinding", "/v1/bindings:delete", {"proof": self._proof}, False)
        return None

    def _with_token(self, state: State, answer: Body) -> State:
        if answer is None:
            return {**state, "tokens": _OneMore(state["tokens"])}
        self._tokens[answer["id"]] = self._user, answer["token"]
        return {**state, "tokens": sorted([*state["tokens"], answer["id"]])}  # they are listed in order of their ids

    def _bind(self, operation: str, path: str, body: Any, bound: bool) -> Act:
        request = Request(operation, "POST", path, self.resource(f"binding/{self._proof}"), body)
        return Act(request, lambda state, _: {**state, "binding": bound})


class KeyRing(Owner):
    """Makes keys; each is known by a description that no other has."""

    @property
    def name(self) -> str:
        """The ring."""
        return "the key ring"

    def act(self, kind: Kind) -> Act:
        """One more key."""
        description = f"key {self.rng.getrandbits(64):016x}"
        request = Request("CreateKey", "POST", "/v1/keys", self.resource("key/*"), {"description": description})

        def after(state: State, answer: Body) -> State:
            return {**state, description: (ANYTHING if answer is None else answer["id"], "enabled")}

        return Act(request, after)

    def observe(self, *, wholly: bool) -> State:
        """All keys of the account but its default one."""
        found: dict[str, Any] = {}
        query: dict[str, Any] = {"limit": 100}
        while True:
            page = self.ask(Request("ListKeys", "GET", "/v1/keys", self.resource("key/*"), query=query)) or {}
            found |= {
                key["description"]: (key["id"], key["state"]) for key in page["keys"] if key["owner"] != "service"
            }
            if "next_token" not in page:
                return found
            query["next_token"] = page["next_token"]


def _nobody() -> State:
    return {"user": None, "tokens": [], "policy": None, "binding": False}


class _OneMore(list[str]):
    """Equal to any list that holds what this one holds and one more."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list) and len(other) == len(self) + 1 and set(self) < set(other)

    __hash__ = None  # as every list: it can change
