"""Rotations that are really run and interrupted: what state a kill found, and whether each came to its end."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from secretsd.testing.daemon import secret_path
from secretsd.testing.kill_hunt.caller import Caller, Unanswered, now_ms
from secretsd.testing.kill_hunt.journal import Request
from secretsd.testing.kill_hunt.plan import Victim

SECRETS = 12
FINISH_SECONDS = 90.0
FOUND_SECONDS = 20.0
RANK = {"idle": 0, "candidate-stored": 1, "applying": 2, "verifying": 3}
STATE_OF_STEP = {
    "StageRotationCandidate": "idle",
    "BeginRotationApply": "candidate-stored",
    "ApplyRotation": "applying",
    "PromoteRotation": "verifying",
}
SETTINGS = {"kind": "hex", "length": 24}


@dataclass(slots=True)
class Started:
    """A rotation that was asked for, and when."""

    secret: str
    started_ms: int


class Rotations:
    """Secrets that rotate when told to, one of them at a time, and two more that rotate by the clock."""

    def __init__(self, caller: Caller, account: str) -> None:
        self._caller = caller
        self._account = account
        self._next = 0
        self.names = [f"rotating/{number}" for number in range(SECRETS)]
        self.scheduled = ["rotating/clock-0", "rotating/clock-1"]

    def set_up(self) -> None:
        """Make the secrets, each with its rotation."""
        for name in (*self.names, *self.scheduled):
            resource = self._resource(name)
            self._surely(Request("CreateSecret", "POST", "/v1/secrets", resource, {"name": name, "text": "first"}))
            body: dict[str, Any] = {"rotator": "random", "settings": SETTINGS, "rotate_immediately": False}
            if name in self.scheduled:
                body["schedule"] = {"every_seconds": 4}
            self._surely(self._request("RotateSecret", "POST", name, "rotate", body))

    def start(self) -> Started | None:
        """Rotate the next secret that is at rest; None when none is, or when the answer got lost."""
        for _ in self.names:
            name = self.names[self._next]
            self._next = (self._next + 1) % len(self.names)
            started_ms = now_ms()
            try:
                rotation = self._rotation(name)
                if rotation is None or rotation["state"] != "idle" or rotation.get("next_due_ms") is not None:
                    continue
                if self._caller.call(self._request("RotateSecret", "POST", name, "rotate", {})).status == 200:
                    return Started(name, started_ms)
            except Unanswered:
                return None
        return None

    def reach(self, started: Started, wanted: str) -> bool:
        """Wait until the rotation is at the wanted state; False when it was too fast."""
        deadline = time.monotonic() + FOUND_SECONDS
        while time.monotonic() < deadline:
            try:
                rotation = self._rotation(started.secret)
            except Unanswered:
                return False
            if rotation is None:
                continue
            if rotation["state"] == wanted:
                return wanted != "idle" or rotation.get("next_due_ms") is not None
            done = rotation["state"] == "idle" and rotation.get("next_due_ms") is None
            if done or RANK.get(rotation["state"], 9) > RANK[wanted]:
                return False
        return False

    def found(self, started: Started, victim: Victim, killed_ms: int) -> str:
        """The state that was stored when the kill came, by the events; empty when no rotation was under way.

        After the death of a worker the next pass begins with what it finds stored. A death of another process leaves
        the worker in the step that it had begun last, and that step's own event tells what became of it.
        """
        deadline = time.monotonic() + FOUND_SECONDS
        while time.monotonic() < deadline:
            try:
                steps = self._steps(started)
                later = [step for step in steps if step["time_ms"] > killed_ms]
                earlier = [step for step in steps if step["time_ms"] <= killed_ms]
                if victim in (Victim.WHOLE, Victim.WORKER):
                    resumed = [step for step in later if step["fields"].get("epoch") not in _epochs(earlier)]
                    if resumed:
                        return STATE_OF_STEP[resumed[0]["operation"]]
                    if earlier and later:  # it was the other worker's rotation, and went on as if nothing had happened
                        return STATE_OF_STEP[earlier[-1]["operation"]]
                elif earlier and (later or self._at_rest(started.secret)):
                    return STATE_OF_STEP[earlier[-1]["operation"]]
                if self._at_rest(started.secret):
                    return ""
            except Unanswered:
                pass
            time.sleep(0.02)
        self._caller.journal.finding(f"the rotation of secret {started.secret} did not go on after the kill")
        return ""

    def finish(self) -> None:
        """Every interrupted rotation must come to its end, and every secret must rotate once more."""
        deadline = time.monotonic() + FINISH_SECONDS
        waiting = list(self.names)
        asked: set[str] = set()
        while waiting and time.monotonic() < deadline:
            for name in list(waiting):
                rotation = self._rotation(name)
                if rotation is None or rotation["state"] != "idle" or rotation.get("next_due_ms") is not None:
                    continue
                if name in asked:
                    waiting.remove(name)
                elif self._caller.call(self._request("RotateSecret", "POST", name, "rotate", {})).status == 200:
                    asked.add(name)
            time.sleep(0.05)
        for name in waiting:
            self._caller.journal.finding(f"the rotation of secret {name} did not come to its end")
        for name in self.scheduled:
            self._surely(self._request("CancelRotateSecret", "POST", name, "cancel-rotation", {}))
            while not self._at_rest(name) and time.monotonic() < deadline:
                time.sleep(0.05)

    def _at_rest(self, name: str) -> bool:
        rotation = self._rotation(name)
        return rotation is not None and rotation["state"] == "idle" and rotation.get("next_due_ms") is None

    def _steps(self, started: Started) -> list[dict[str, Any]]:
        """The events of a rotation's steps since it was started, in order; reported failures left out."""
        steps: list[dict[str, Any]] = []
        query: dict[str, Any] = {
            "resource": self._resource(started.secret),
            "from_ms": started.started_ms,
            "limit": 1000,
        }
        while True:
            request = Request("LookupEvents", "GET", "/v1/events", f"secretsd:{self._account}:audit", query=query)
            answer = self._caller.call(request)
            if answer.status != 200:
                return []
            steps += [event for event in answer.body["events"] if event["operation"] in STATE_OF_STEP]
            if "next_token" not in answer.body:
                return sorted(steps, key=lambda step: step["time_ms"])
            query["next_token"] = answer.body["next_token"]

    def _rotation(self, name: str) -> Mapping[str, Any] | None:
        answer = self._caller.call(self._request("DescribeSecret", "GET", name))
        return answer.body["rotation"] if answer.status == 200 else None

    def _request(self, operation: str, method: str, name: str, verb: str = "", body: Any = None) -> Request:
        return Request(operation, method, secret_path(name, verb), self._resource(name), body)

    def _resource(self, name: str) -> str:
        return f"secretsd:{self._account}:secret/{name}"

    def _surely(self, request: Request) -> None:
        answer = self._caller.call(request)
        if answer.status != 200:
            raise RuntimeError(f"cannot set up the hunt: {request.operation} was refused: {answer.kind}")


def _epochs(steps: list[dict[str, Any]]) -> set[Any]:
    return {step["fields"].get("epoch") for step in steps}
