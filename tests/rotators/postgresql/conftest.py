"""Real servers, each major version that is here, and jobs on roles of theirs."""

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from secretsd.domain.sensitive import Plaintext
from secretsd.ports.rotator import Candidate, Job, Outcome, StagedSecret, TargetAccess
from secretsd.testing.postgres import PostgresServer, installations, postgres
from secretsd_rotators.postgresql import PostgreSQLRotator
from secretsd_rotators.postgresql.settings import PostgreSQLAddress, PostgreSQLSettings

_numbers = itertools.count(1)
STARTED_WITH = "password-at-the-start"


@dataclass
class Case:
    """One secret on one role (or two) of a server, and what the engine would remember of it."""

    server: PostgresServer
    logins: tuple[str, ...]
    admin: tuple[str, str] | None
    settings: PostgreSQLSettings = field(default_factory=PostgreSQLSettings)
    port: int = 0
    epoch: int = 1
    current: StagedSecret | None = None
    previous: StagedSecret | None = None
    candidate: StagedSecret | None = None
    journal: list[bytes] = field(default_factory=list)
    function: str | None = None
    told: dict[str, Any] = field(default_factory=dict)
    """Fields of the address that are others than usual."""
    secret_id: str = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
    number: int = 1
    rotator: PostgreSQLRotator = field(default_factory=PostgreSQLRotator)

    @property
    def job(self) -> Job:
        port = self.port or self.server.port
        told: dict[str, Any] = {"host": "127.0.0.1", "port": port, "tls": "off", "connect_seconds": 1, **self.told}
        address = PostgreSQLAddress(**told, function=self.function)
        login, password = self.admin or ("", "")
        target = TargetAccess("db", address, login, Plaintext.from_text(password) if self.admin else None)
        return Job(
            "prod/db/app", self.settings, self.epoch, self.current, self.candidate, self.previous, tuple(self.journal),
            self.secret_id, self.logins, target,
        )  # fmt: skip

    async def note(self, data: bytes) -> None:
        self.journal.append(data)

    async def prepare(self) -> Candidate:
        self.candidate, self.journal = None, []
        made = await self.rotator.prepare(self.job)
        self.number += 1
        self.candidate = StagedSecret(f"v{self.number}", made.value, self.number, made.journal)
        self.journal = [made.journal]
        return made

    async def apply(self) -> Outcome:
        return await self.rotator.apply(self.job, self.note)

    def promote(self) -> None:
        self.previous, self.current, self.candidate = self.current, self.candidate, None

    async def rotate(self) -> None:
        await self.prepare()
        assert await self.apply() is Outcome.APPLIED
        await self.rotator.verify(self.job)
        self.promote()

    def stored(self, login: str | None = None) -> Any:
        """The role's verifier as the server has it."""
        ((found,),) = self.server.sql(f"SELECT rolpassword FROM pg_authid WHERE rolname = '{login or self.logins[0]}'")
        return found


VERSIONS = sorted(installations(), key=int)


@pytest.fixture(scope="session")
def servers() -> Iterator[Callable[[str], PostgresServer]]:
    """The server of a version: started when it is first asked for, it stays until the end of the session."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def server_of(version: str) -> PostgresServer:
            server = stack.enter_context(postgres(version))
            server.sql("CREATE EXTENSION pg_stat_statements")
            return server

        yield server_of


@pytest.fixture(scope="module", params=VERSIONS, ids=[f"PostgreSQL {version}" for version in VERSIONS])
def server(servers: Callable[[str], PostgresServer], request: pytest.FixtureRequest) -> PostgresServer:
    """Each version that is here."""
    return servers(request.param)


@pytest.fixture
def admin(server: PostgresServer) -> tuple[str, str]:
    """The superuser."""
    return "postgres", server.password


@pytest.fixture
def role(server: PostgresServer) -> str:
    """A role of this test's own, with a password."""
    name = f"app_{next(_numbers)}"
    server.sql(f"CREATE ROLE {name} LOGIN PASSWORD '{STARTED_WITH}'")
    return name


@pytest.fixture
def case(server: PostgresServer, role: str, admin: tuple[str, str]) -> Case:
    """One login, changed by the superuser."""
    return Case(server, (role,), admin, current=StagedSecret("v1", Plaintext.from_text(STARTED_WITH), 1))


@pytest.fixture
def pair(server: PostgresServer, admin: tuple[str, str]) -> Case:
    """Two logins of one group that take turns, changed by the superuser; neither has a password yet."""
    number = next(_numbers)
    first, second, group = f"pair_{number}_a", f"pair_{number}_b", f"group_{number}"
    server.sql(f"CREATE ROLE {group}")
    for login in (first, second):
        server.sql(f"CREATE ROLE {login} LOGIN IN ROLE {group}", f"ALTER ROLE {login} SET role TO {group}")
    return Case(server, (first, second), admin)
