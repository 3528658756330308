"""What the hunt takes place at: a PostgreSQL, a daemon, two targets behind proxies, two secrets that rotate."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secretsd.testing.daemon import WATCHERS, Daemon, secret_path
from secretsd.testing.kill_hunt.caller import Caller, Unanswered
from secretsd.testing.kill_hunt.journal import Request
from secretsd.testing.postgres import PostgresServer, postgres
from secretsd.testing.rotation_hunt.application import Application, Fetcher
from secretsd.testing.rotation_hunt.ledger import Events, Ledger
from secretsd.testing.rotation_hunt.plan import ALTERNATING, SINGLE
from secretsd.testing.rotation_hunt.proxy import WatchedProxy
from secretsd.testing.rotation_hunt.stored import Stored
from secretsd.testing.rotation_hunt.verifiers import Verifiers

CREATEROLE, SUPER = "rotator", "dba"
"""The two kinds of administrators."""
LOGINS: dict[str, tuple[str, ...]] = {SINGLE: ("app",), ALTERNATING: ("report_a", "report_b")}
SECRETS = {SINGLE: "prod/db/app", ALTERNATING: "prod/db/report"}
GRACE_SECONDS = 1
FIRST_SECONDS = 60.0
WARM_UP = 2
"""Rotations before the first blow: from then on each login has had a password before."""


@dataclass(slots=True)
class Place:
    """One of the two secrets and all that belongs to it. `asking` is a connection for the thread that strikes it."""

    machine: str
    secret: str
    admin: str
    proxy: WatchedProxy
    stored: Stored
    application: Application
    verifiers: Verifiers
    fetcher: Fetcher
    asking: Caller
    resource: str

    def ask(self, operation: str, verb: str, body: Any = None) -> str:
        """A request about the rotation; the kind of the error, "" for none, `unanswered` for no answer."""
        request = Request(operation, "POST", secret_path(self.secret, verb), self.resource, body or {})
        try:
            return self.asking.call(request).kind
        except Unanswered:
            return "unanswered"

    def rotate(self) -> bool:
        """Have it rotated now; asked again where nobody answered and nothing is under way."""
        run = self.stored.standing()
        for _ in range(100):
            kind = self.ask("RotateSecret", "rotate")
            standing = self.stored.standing()
            if kind == "" or not standing.ended or standing.run > run.run:
                return True
            time.sleep(0.05)
        return False

    def ends(self, seconds: float) -> bool:
        """Wait until nothing is under way; False when that takes longer."""
        deadline = time.monotonic() + seconds
        while not self.stored.standing().ended:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        return True


class Site:
    """Everything that runs. `places` are by machine."""

    def __init__(self, daemon: Daemon, server: PostgresServer, ledger: Ledger, *, swapped: bool) -> None:
        self.daemon, self.server, self.ledger = daemon, server, ledger
        self._caller = Caller(daemon, ledger, watchers=WATCHERS)
        found = self._must("GetCallerIdentity", "GET", "/v1/caller-identity", "")
        self.account = str(found["account"])
        admins = (SUPER, CREATEROLE) if swapped else (CREATEROLE, SUPER)
        self.places = {
            machine: self._place(machine, admin) for machine, admin in zip((SINGLE, ALTERNATING), admins, strict=True)
        }
        self._looking = Caller(daemon, ledger)
        self.events = Events(self._looking, ledger, (self.account, "system"))

    def set_up(self) -> None:
        """Targets, secrets, first values, and the applications, which begin."""
        for place in self.places.values():
            self._prepare(place)
        for place in self.places.values():
            for _ in range(WARM_UP):
                if not place.ends(FIRST_SECONDS):
                    raise RuntimeError(f"cannot begin: the rotation of secret {place.secret} does not end")
                if not place.rotate():
                    raise RuntimeError(f"cannot begin: secret {place.secret} is not rotated")
        for place in self.places.values():
            if not place.ends(FIRST_SECONDS) or place.fetcher.fetch() is None:
                raise RuntimeError(f"cannot begin: secret {place.secret} has no value")
            place.application.start()

    def close(self) -> None:
        """End the applications and let go of everything."""
        self._caller.close()
        self._looking.close()
        for place in self.places.values():
            place.application.end()
            place.proxy.close()
            place.stored.close()
            place.asking.close()
            place.fetcher.caller.close()

    def _place(self, machine: str, admin: str) -> Place:
        secret = SECRETS[machine]
        stored = Stored(self.daemon.state_dir / "storage" / "main.db", secret)
        proxy = WatchedProxy(self.server.port, admin, stored.state)
        takes_turns = machine == ALTERNATING
        fetching = Fetcher(self.daemon, self.ledger, self.account, secret)
        application = Application(fetching, self.ledger, secret, self.server.port, takes_turns=takes_turns)
        asking = Caller(self.daemon, self.ledger)
        return Place(
            machine, secret, admin, proxy.start(), stored, application,
            Verifiers(asking, self.server, self.account, secret, LOGINS[machine]),
            Fetcher(self.daemon, self.ledger, self.account, secret), asking,
            f"secretsd:{self.account}:secret/{secret}",
        )  # fmt: skip

    def _prepare(self, place: Place) -> None:
        target = f"db-{place.machine}"
        described = {
            "target": target,
            "rotator": "postgresql",
            "address": {"host": "127.0.0.1", "port": place.proxy.port, "tls": "off"},
            "admin_login": place.admin,
            "admin_password": self.server.admin_password,
            "logins": {self.account: list(LOGINS[place.machine])},
        }
        self._must("CreateTarget", "POST", "/v1/targets", f"secretsd:system:target/{target}", described)
        self._must("CreateSecret", "POST", "/v1/secrets", place.resource, {"name": place.secret})
        rotation = {
            "rotator": "postgresql",
            "target": target,
            "logins": list(LOGINS[place.machine]),
            "grace_seconds": GRACE_SECONDS,
        }
        self._must("RotateSecret", "POST", secret_path(place.secret, "rotate"), place.resource, rotation)

    def _must(self, operation: str, method: str, path: str, resource: str, body: Any = None) -> Any:
        answer = self._caller.call(Request(operation, method, path, resource, body))
        if answer.status != 200:
            raise RuntimeError(f"cannot begin: {operation} was refused: {answer.body}")
        return answer.body


@contextlib.contextmanager
def site(state_dir: Path, *, workers: int, ledger: Ledger) -> Iterator[Site]:
    """A site that runs within the block; with two workers the two kinds of administrators change places."""
    with postgres() as server:
        _make_roles(server)
        daemon = Daemon(state_dir, settings={"workers": workers})
        daemon.start()
        try:
            one = Site(daemon, server, ledger, swapped=workers > 1)
            try:
                yield one
            finally:
                one.close()
        finally:
            status = daemon.stop()
            if status != 0:
                ledger.finding(f"the daemon ended with exit status {status}")


def _make_roles(server: PostgresServer) -> None:
    server.sql(f"CREATE ROLE {CREATEROLE} LOGIN CREATEROLE PASSWORD '{server.admin_password}'")
    server.sql(f"CREATE ROLE {SUPER} LOGIN SUPERUSER PASSWORD '{server.admin_password}'")
    for login in (login for logins in LOGINS.values() for login in logins):
        server.sql(f"CREATE ROLE {login} LOGIN")
        if server.major >= 16:
            server.sql(f"GRANT {login} TO {CREATEROLE} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE")
