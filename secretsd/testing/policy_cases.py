"""Random policies and requests for the comparison of two evaluators: few names, so that they meet often."""

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from secretsd.domain import policy_document
from secretsd.domain.conditions import KnownFacts
from secretsd.domain.decisions import Sides
from secretsd.domain.grants import GRANT_OPERATIONS, Grant
from secretsd.domain.names import Resource
from secretsd.domain.policy_document import DocumentKind
from secretsd.domain.policy_rules import Rules, Who
from secretsd.testing.policy_reference import Granted, World, decide

OWN, OTHER, THIRD = "100000000001", "200000000002", "300000000003"
NOW_MS = 1_700_000_000_000
SINCE = (1, 1, 1, 5)
"""When callers were made: before the grants are, or after."""
USERS = ("user/ann", "user/bob", "role/ops")
OPERATIONS = (
    "GetSecretValue", "PutSecretValue", "ListSecrets", "DescribeSecret", "Encrypt", "Decrypt", "ReEncrypt",
    "DescribeKey", "CreateGrant", "RetireGrant", "AssumeRole",
)  # fmt: skip
PERMISSIONS = frozenset(OPERATIONS) | GRANT_OPERATIONS
PATHS = ("secret/a", "secret/a/b", "secret/b", "secret/*", "key/k", "key/k", "key/k", "role/ops", "role/deploy")
ACTIONS = ("*", "Get*", "*Secret*", "?ncrypt", "Decrypt", "*Grant", "AssumeRole", "GetSecretValue", "De*", "ReEncrypt*")
PATTERNS = (
    "*",
    "secret/*",
    "secret/a",
    "secret/?",
    "secret/a*",
    "key/*",
    "key/k",
    "role/*",
    "*/a*b",
    "?*",
    "secret/[a]",
)
FACTS: Mapping[str, tuple[tuple[str | int, ...], ...]] = {
    "secretsd:SourceIp": (("10.0.0.7",), ("::ffff:10.0.0.7",), ("192.0.2.1",), ("2001:db8::7",)),
    "secretsd:SecureTransport": ((0,), (1,)),
    "secretsd:UnixUid": ((0,), (1000,), (1001,)),
    "secretsd:SystemdUnit": (("app.service",), ("db@1.service",)),
    "secretsd:PrincipalTag/team": (("a",), ("b",), ("A",)),
    "secretsd:TagKeys": (("team",), ("team", "env"), ("env", "x")),
    "secretsd:EncryptionContext/tenant": (("7",), ("8",)),
    "secretsd:EncryptionContext/app": (("shop",),),
    "secretsd:VersionStage": (("current",), ("current", "pending")),
}
TESTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "secretsd:SourceIp": {"IpAddress": ("10.0.0.0/8", "192.0.2.1", "2001:db8::/32")},
    "secretsd:SecureTransport": {"Bool": ("true", "false")},
    "secretsd:UnixUid": {
        f"Numeric{order}": ("0", "1000", "1000.5")
        for order in ("Equals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
    },
    "secretsd:CurrentTime": {
        f"Date{order}": ("2023-11-14T22:13:20Z", "2023-11-14T22:13:20.001+00:00", "2020-01-01")
        for order in ("Equals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
    },
    **{
        key: {
            "StringEquals": ("a", "7", "team", "current", "app.service"),
            "StringEqualsIgnoreCase": ("A", "TEAM", "Current"),
            "StringLike": ("*", "?", "t*", "*.service", "db@?.service", "[a]"),
        }
        for key in (
            "secretsd:SystemdUnit", "secretsd:PrincipalTag/team", "secretsd:TagKeys", "secretsd:VersionStage",
            "secretsd:EncryptionContext/tenant",
        )
    },
}  # fmt: skip
MANY = ("secretsd:TagKeys", "secretsd:VersionStage")
NEGATED = {
    "StringEquals": "StringNotEquals",
    "StringEqualsIgnoreCase": "StringNotEqualsIgnoreCase",
    "StringLike": "StringNotLike",
    "NumericEquals": "NumericNotEquals",
    "DateEquals": "DateNotEquals",
    "IpAddress": "NotIpAddress",
}


@dataclass(frozen=True)
class Case:
    """One request to one world: what the engine says and what the reference says, each the name of a reason."""

    world: World
    operation: str
    facts: Mapping[str, Sequence[str | int]]
    engine: str
    reference: str


class Cases:
    """Worlds of a seed, and several requests to each."""

    def __init__(self, seed: int, requests: int = 20) -> None:
        self._rng = random.Random(seed)  # noqa: S311  # cases, no keys
        self._requests = requests

    def run(self, count: int) -> Iterator[Case]:
        """That many cases."""
        done = 0
        while done < count:
            world = self.world()
            engine = Engine(world)
            for operation, facts in self.requests(world, count - done):
                yield Case(world, operation, facts, engine.decide(operation, facts), decide(world, operation, facts))
                done += 1

    def requests(self, world: World, most: int) -> Iterator[tuple[str, Mapping[str, Sequence[str | int]]]]:
        """Operations and facts of the next requests to it, at most so many."""
        for _ in range(min(self._requests, most)):
            yield self._operation(world), self._facts()

    def world(self) -> World:
        """The next one."""
        rng = self._rng
        account = OWN
        resource_account = rng.choice((OWN, OWN, OTHER, OTHER, "system"))
        path = rng.choice(PATHS)
        owned = resource_account != "system"
        kind = "trust" if path.startswith("role/") else "resource"
        return World(
            account,
            rng.choice(USERS),
            rng.choice(SINCE),
            [self._document("identity", path, rng.randint(1, 3)) for _ in range(rng.choice((0, 1, 1, 2)))],
            self._document("identity", path, 2, mostly_wide=True) if rng.random() < 0.3 else None,
            self._document("identity", path, 2, mostly_wide=True) if rng.random() < 0.3 else None,
            resource_account,
            path,
            self._document(kind, path, rng.randint(1, 2)) if owned and rng.random() < 0.6 else None,
            [self._grant() for _ in range(rng.choice((0, 1, 1, 2)))] if owned and path.startswith("key/") else (),
        )

    def _document(self, kind: str, path: str, statements: int, mostly_wide: bool = False) -> dict[str, Any]:
        made = [self._statement(kind, path) for _ in range(statements)]
        if mostly_wide and self._rng.random() < 0.7:
            made.append({"Effect": "Allow", "Action": "*", "Resource": ["*", f"secretsd:{OTHER}:*"]})
        return {"Version": "1", "Statement": made if len(made) > 1 or self._rng.random() < 0.5 else made[0]}

    def _statement(self, kind: str, path: str) -> dict[str, Any]:
        rng = self._rng
        found: dict[str, Any] = {"Effect": "Deny" if rng.random() < 0.2 else "Allow"}
        if kind == "trust":
            found["Action"] = rng.choice(("AssumeRole", "*", "Assume*"))
        else:
            found[rng.choice(("Action", "Action", "Action", "NotAction"))] = self._some(ACTIONS)
        if kind == "identity":
            near = (path, f"{path[:-1]}?", f"{path[:3]}*", f"{path[:-1]}[{path[-1]}]", f"*{path[-2:]}")
            some = near if rng.random() < 0.6 else PATTERNS
            patterns = (*some, *(f"secretsd:{one}:{rng.choice(some)}" for one in (OWN, OTHER, OTHER, "system")))
            found[rng.choice(("Resource", "Resource", "Resource", "NotResource"))] = self._some(patterns)
        else:
            names = ("*", OWN, OTHER, *(f"secretsd:{OWN}:{user}" for user in USERS))
            found["Principal"] = self._some(names)
        if rng.random() < 0.5:
            found["Condition"] = self._conditions()
        return found

    def _some(self, choices: Sequence[str]) -> str | list[str]:
        found = self._rng.sample(choices, self._rng.choice((1, 1, 2, 3)))
        return found[0] if len(found) == 1 and self._rng.random() < 0.5 else found

    def _conditions(self) -> dict[str, dict[str, Any]]:
        rng = self._rng
        found: dict[str, dict[str, Any]] = {}
        for _ in range(rng.choice((1, 1, 2))):
            key = rng.choice(tuple(TESTS))
            if rng.random() < 0.1:
                found.setdefault("Null", {})[key] = rng.choice(("true", "false"))
                continue
            operator = rng.choice(tuple(TESTS[key]))
            values = rng.sample(TESTS[key][operator], rng.choice((1, 1, 2)))
            if operator in NEGATED and rng.random() < 0.3:
                operator = NEGATED[operator]
            if key in MANY:
                operator = f"{rng.choice(('ForAllValues', 'ForAnyValue'))}:{operator}"
            if rng.random() < 0.2:
                operator += "IfExists"
            found.setdefault(operator, {})[key] = values
        return found

    def _grant(self) -> Granted:
        rng = self._rng
        bound = rng.choice(({}, {"tenant": "7"}, {"app": "shop"}, {"tenant": "7", "app": "shop"}))
        exactly = rng.random() < 0.5
        return Granted(
            rng.choice((OWN, OWN, OTHER, *(f"secretsd:{OWN}:{user}" for user in USERS))),
            tuple(rng.sample(("Encrypt", "Decrypt", "ReEncryptFrom", "DescribeKey", "CreateGrant", "RetireGrant"), 3)),
            bound if exactly else {},
            {} if exactly else bound,
            rng.choice(("", f"secretsd:{OWN}:user/ann")),
            3,
            rng.choice((None, None, NOW_MS - 1, NOW_MS, NOW_MS + 1)),
            rng.choice((None, *SINCE)),
            rng.choice((None, *SINCE)),
        )

    def _operation(self, world: World) -> str:
        rng = self._rng
        if world.resource_path.startswith("role/") and rng.random() < 0.7:
            return "AssumeRole"
        if world.resource_path.startswith("key/") and rng.random() < 0.7:
            return rng.choice(
                ("Encrypt", "Decrypt", "ReEncrypt", "ReEncrypt", "DescribeKey", "RetireGrant", "CreateGrant")
            )
        return rng.choice(OPERATIONS)

    def _facts(self) -> dict[str, Sequence[str | int]]:
        rng = self._rng
        found: dict[str, Sequence[str | int]] = {key: rng.choice(of) for key, of in FACTS.items() if rng.random() < 0.6}
        names = [key.partition("/")[2] for key in found if key.startswith("secretsd:EncryptionContext/")]
        if names:
            found["secretsd:EncryptionContextKeys"] = names
        return found | {"secretsd:CurrentTime": (NOW_MS,)}


class Engine:
    """The engine under test, with all of a world made ready."""

    def __init__(self, world: World) -> None:
        self._sides = _sides(world)
        self._who = Who(world.account, world.path, world.since_ms)
        self._resource = Resource(world.resource_account, world.resource_path)

    def decide(self, operation: str, facts: Mapping[str, Sequence[str | int]]) -> str:
        """The name of the reason."""
        known = KnownFacts({key: tuple(found) for key, found in facts.items()})
        return self._sides.narrowed(self._who, operation, self._resource).decide(known).reason.value


def _sides(world: World) -> Sides:
    def rules(document: Mapping[str, Any], source: str) -> Rules:
        return Rules(source, world.account, policy_document.read(json.dumps(document), PERMISSIONS))

    resource = None
    if world.resource is not None:
        kind = DocumentKind.TRUST if world.resource_path.startswith("role/") else DocumentKind.RESOURCE
        permissions = ("AssumeRole",) if kind is DocumentKind.TRUST else PERMISSIONS
        statements = policy_document.read(json.dumps(world.resource), permissions, kind)
        resource = Rules("resource policy", world.resource_account, statements)
    return Sides(
        tuple(rules(document, f"policy/{number}") for number, document in enumerate(world.identity)),
        None if world.boundary is None else rules(world.boundary, "boundary"),
        None if world.session is None else rules(world.session, "session policy"),
        resource,
        [_grant(world, one).ready() for one in world.grants],
        guarded=world.resource_path.startswith("role/"),
    )


def _grant(world: World, one: Granted) -> Grant:
    given = (one.grantee, tuple(one.operations), one.equals, one.subset, "", one.retiring, "", "")
    meant = one.grantee_ms, one.retiring_ms
    return Grant(world.resource_account, "k", "id", *given, one.created_ms, one.expires_ms, 0, *meant)


def compared(seed: int, count: int) -> tuple[Counter[str], list[Case]]:
    """How often each reason was the engine's, and the first of the cases in which the two differ."""
    reasons: Counter[str] = Counter()
    differing: list[Case] = []
    for case in Cases(seed).run(count):
        reasons[case.engine] += 1
        if case.engine != case.reference and len(differing) < 10:
            differing.append(case)
    return reasons, differing


def first_difference(seed: int, most: int) -> Case | None:
    """The first case in which the two differ, of so many at most; few requests to each of many worlds."""
    return next((case for case in Cases(seed, requests=4).run(most) if case.engine != case.reference), None)
