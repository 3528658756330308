"""The conformance suite of the rotator port over a real server."""

import json
from typing import Any, ClassVar

import pytest

from secretsd.domain.sensitive import Plaintext
from secretsd.ports.rotator import TargetAccess
from secretsd.testing.rotator_suite import RotatorSuite
from secretsd_rotators.postgresql import PostgreSQLRotator
from secretsd_rotators.postgresql.settings import PostgreSQLAddress

pytestmark = pytest.mark.integration


class TestPostgreSQL(RotatorSuite):
    rotator_type: ClassVar[Any] = PostgreSQLRotator
    bad_settings: ClassVar[tuple[str, ...]] = (
        '{"length": 7}',
        '{"length": 20}',
        '{"format": "xml"}',
        '{"exclude_characters": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"}',
    )

    @pytest.fixture(autouse=True)
    def on_a_server(self, server, role) -> None:
        self.server, self.role = server, role

    @pytest.fixture
    def settings(self) -> str:
        return json.dumps({"length": 40})

    def reached(self) -> dict[str, Any]:
        address = PostgreSQLAddress("127.0.0.1", self.server.port, tls="off")
        target = TargetAccess("db", address, "postgres", Plaintext.from_text(self.server.password))
        return {"target": target, "logins": (self.role,)}
