"""Limits on the wire: 429 with Retry-After, on the daemon's own terms."""

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from secretsd.testing.daemon import Answered, Daemon, running

pytestmark = [pytest.mark.acceptance, pytest.mark.needs_root]
WRONG = "secretsd_" + "A" * 43
LIMITS = {"free_failed_proofs": 3, "requests_per_principal": 20}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    path: Path = tmp_path_factory.mktemp("limits")
    with running(path / "state", settings={"limits": LIMITS, "quotas": {"users": 3}}) as daemon:
        yield daemon


def whoami(connection: http.client.HTTPConnection, token: str | None) -> tuple[int, str | None]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    connection.request("GET", "/v1/caller-identity", headers=headers)
    with connection.getresponse() as response:
        response.read()
        return response.status, response.getheader("Retry-After")


def test_bad_tokens_are_told_to_wait_and_the_known_one_is_not(daemon: Daemon) -> None:
    connection = daemon.connect(tcp=True)
    assert whoami(connection, daemon.token)[0] == 200
    assert [whoami(connection, WRONG) for _ in range(3)] == [(401, None)] * 3
    assert [whoami(connection, WRONG) for _ in range(3)] == [(429, "1")] * 3
    assert whoami(connection, daemon.token)[0] == 200
    connection.close()
    other = daemon.connect()  # over the Unix socket it is the uid that counts
    assert whoami(other, WRONG) == (401, None)
    assert whoami(other, None)[0] == 200
    other.close()


def test_too_many_requests_are_told_to_wait(daemon: Daemon) -> None:
    connection = daemon.connect()
    found = [whoami(connection, None) for _ in range(60)]
    connection.close()
    refused = [retry for status, retry in found if status == 429]
    assert refused
    assert set(refused) == {"1"}
    assert sum(status == 200 for status, _ in found) >= 10


def test_a_quota_is_named(daemon: Daemon) -> None:
    answers: list[Answered] = []
    while not answers or answers[-1].status in (200, 429):
        answers.append(daemon.call("POST", "/v1/users", {"user": f"u{len(answers)}"}))
    assert (answers[-1].status, answers[-1].kind) == (409, "limit-exceeded")
    assert "quotas.users" in answers[-1].body["detail"]
    assert sum(answer.status == 200 for answer in answers) == 2
