"""Holds what the server stores of each login against the secret's versions: one of them, and always the same bytes."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from secretsd.testing.daemon import secret_path
from secretsd.testing.kill_hunt.caller import Caller, Unanswered
from secretsd.testing.kill_hunt.journal import Request
from secretsd.testing.postgres import PostgresServer
from secretsd.testing.rotation_hunt.scram import verifies

TRIES = 200
_SENT = re.compile(
    r"ALTER ROLE \"?(?P<login>\w+)\"? PASSWORD '(?P<verifier>SCRAM[^']+)'; "
    r"COMMENT ON ROLE \"?\w+\"? IS '[^']*secretsd:(?P<secret>[0-9a-f-]{36}):v(?P<number>\d+):epoch(?P<epoch>\d+)'"
)


@dataclass(slots=True)
class Version:
    """A version's login and password, and the verifier that the server was seen to have for it."""

    number: int
    login: str
    password: str = field(repr=False)
    verifier: str = field(default="", repr=False)


class Verifiers:
    """One secret's. Not for two threads at once."""

    def __init__(
        self, caller: Caller, server: PostgresServer, account: str, secret: str, logins: Sequence[str]
    ) -> None:
        self.versions: dict[int, Version] = {}
        self._caller = caller
        self._server = server
        self._secret = secret
        self._resource = f"secretsd:{account}:secret/{secret}"
        self._logins = logins

    def stored(self) -> dict[str, str]:
        """What the server stores now, by login."""
        names = ", ".join(f"'{login}'" for login in self._logins)
        sql = f"SELECT rolname, rolpassword FROM pg_authid WHERE rolname IN ({names})"  # noqa: S608  # of constants
        return dict(self._server.sql(sql))

    def check(self) -> list[str]:
        """What is wrong with the verifiers that are stored now."""
        wrong = []
        for login, stored in self.stored().items():
            version = self._version_of(login, stored)
            if version is None:
                wrong.append(f"the verifier of {login} is that of no version of the secret")
            elif version.verifier not in ("", stored):
                wrong.append(f"version {version.number} was applied to {login} with two verifiers")
            else:
                version.verifier = stored
        return wrong

    def check_log(self) -> list[str]:
        """What is wrong with all the verifiers that were ever sent, by the server's own log of statements."""
        self._learn(0)
        sent: dict[int, set[str]] = {}
        for found in _SENT.finditer(self._server.log):
            if found["login"] in self._logins:
                sent.setdefault(int(found["number"]), set()).add(found["verifier"])
        wrong = [f"version {number} was sent with {len(all)} verifiers" for number, all in sent.items() if len(all) > 1]
        for number, verifiers in sent.items():
            version = self.versions.get(number)
            if version is None:
                wrong.append(f"version {number} was sent and is not kept")
            elif not all(verifies(one, version.password) for one in verifiers):
                wrong.append(f"what was sent as version {number} is no verifier of it")
        if not sent:
            wrong.append("the server's log shows no change at all")
        return wrong

    def _version_of(self, login: str, stored: str) -> Version | None:
        for version in self.versions.values():
            if version.verifier == stored and version.login == login:
                return version
        self._learn(max(self.versions, default=0))
        newest = sorted(self.versions.values(), key=lambda version: -version.number)
        return next((one for one in newest if one.login == login and verifies(stored, one.password)), None)

    def _learn(self, above: int) -> None:
        """Read the versions with higher numbers than that."""
        query: dict[str, object] = {"include_unlabelled": "true", "limit": 50}
        while True:
            page = self._ask("ListSecretVersionIds", "versions", query)
            new = [one for one in page["versions"] if one["number"] > above and one["number"] not in self.versions]
            for one in new:
                value = self._ask("GetSecretValue", "value", {"version_id": one["id"]})
                found = json.loads(value["text"])
                self.versions[one["number"]] = Version(one["number"], found["username"], found["password"])
            if "next_token" not in page or not new:
                return
            query["next_token"] = page["next_token"]

    def _ask(self, operation: str, verb: str, query: dict[str, object]) -> Any:
        request = Request(operation, "GET", secret_path(self._secret, verb), self._resource, query=dict(query))
        for _ in range(TRIES):
            try:
                answer = self._caller.call(request)
            except Unanswered:
                continue
            if answer.status == 200:
                return answer.body
        raise RuntimeError(f"cannot read the versions of secret {self._secret}")
