"""What a secret must be after each change: the rules of versions and stages once more, apart from the daemon's own.

A secret that is not there is the empty mapping. All functions return a new state.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from secretsd.testing.kill_hunt.owner import ANYTHING, State

CURRENT, PREVIOUS = "current", "previous"
LABELLED_BY_RULE = (CURRENT, "pending", PREVIOUS)


def created(id: str, key_id: str, description: str, tags: Mapping[str, str], version: str, data_type: str) -> State:
    """A new secret with its first version."""
    return {
        "id": id,
        "key_id": key_id,
        "description": description,
        "tags": dict(tags),
        "stages": {CURRENT: version},
        "versions": {version: (1, data_type, key_id)},
        "deletion_ms": None,
        "rotation": None,
    }


def with_version(state: State, version: str, data_type: str, stages: Iterable[str]) -> State:
    """One more version under the next number; its stages leave the versions that hold them."""
    number = 1 + max(number for number, _, _ in state["versions"].values())
    versions = {**state["versions"], version: (number, data_type, state["key_id"])}
    return _placed({**state, "versions": versions}, version, stages)


def with_stage(state: State, stage: str, version: str) -> State:
    """A stage moved to a version that is there."""
    return _placed(state, version, [stage])


def _placed(state: State, version: str, stages: Iterable[str]) -> State:
    moved: dict[str, str] = dict(state["stages"])
    for stage in stages:
        left = moved.get(stage)
        moved[stage] = version
        if stage == CURRENT and left not in (None, version):
            moved[PREVIOUS] = str(left)
    return {**state, "stages": moved}


def under_key(state: State, key_id: str) -> State:
    """Another CMK: the versions at current, pending and previous are sealed under it anew, no other one is.

    The CMK that the secret has already changes nothing, even where such a version is still under an older one.
    """
    if key_id == state["key_id"]:
        return state
    held = {state["stages"][stage] for stage in LABELLED_BY_RULE if stage in state["stages"]}
    versions = {
        version: (number, data_type, key_id if version in held else key)
        for version, (number, data_type, key) in state["versions"].items()
    }
    return {**state, "key_id": key_id, "versions": versions}


def doomed(state: State, deletion_ms: int | None) -> State:
    """Scheduled for deletion, `deletion_ms` from the answer; the rotation's clock stops."""
    rotation = state["rotation"]
    stopped = None if rotation is None else {**rotation, "enabled": False}
    return {**state, "deletion_ms": deletion_ms if deletion_ms is not None else ANYTHING, "rotation": stopped}


def rotating(state: State, every_seconds: int) -> State:
    """With a schedule."""
    return {**state, "rotation": {"rotator": "random", "enabled": True, "every_seconds": every_seconds}}


def described(body: Mapping[str, Any], versions: Mapping[str, tuple[int, str, str]]) -> State:
    """A state from DescribeSecret's answer and the versions that were listed."""
    rotation = body.get("rotation")
    return {
        **{field: body[field] for field in ("id", "key_id", "description", "tags", "stages")},
        "versions": versions,
        "deletion_ms": body.get("deletion_ms"),
        "rotation": rotation and {field: rotation.get(field) for field in ("rotator", "enabled", "every_seconds")},
    }
