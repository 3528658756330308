"""The certificate of TLS before anything is started: where systemd put it, and all that would keep workers from it."""

import json
import os
from pathlib import Path

import pytest

from secretsd.settings import BadSettings, HTTPSettings, from_document
from secretsd.supervisor.certificates import placed, problems
from secretsd.supervisor.dev import dev_settings
from secretsd.supervisor.identities import Identities, Identity
from secretsd.supervisor.processes import children
from secretsd.testing.authority import Authority

SERVERS = Authority()
ROOT, WORKER = Identity(0, 0), Identity(61701, 61701)
IDENTITIES = Identities(WORKER, Identity(61702, 61702), Identity(61703, 61703))


@pytest.fixture
def http(tmp_path: Path) -> HTTPSettings:
    certificate, key = SERVERS.issue("localhost")
    for name, text in (("certificate", certificate), ("key", key)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    return HTTPSettings(None, str(tmp_path / "certificate"), str(tmp_path / "key"))


def test_credentials_become_paths_where_systemd_handed_them_over() -> None:
    http = {"certificate": "credential:tls-certificate", "private_key": "/etc/key.pem"}
    settings = from_document({"http": http})
    found = placed(settings, "/run/credentials/secretsd.service").http
    assert (found.certificate, found.private_key) == (
        "/run/credentials/secretsd.service/tls-certificate",
        "/etc/key.pem",
    )
    assert placed(settings, None) == settings
    away = from_document({"http": {"certificate": "credential:../../etc/x", "private_key": "credential:"}})
    assert placed(away, "/run/credentials") == away
    assert placed(from_document({}), "/run/credentials") == from_document({})


def test_workers_are_told_paths_and_the_others_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/unit")
    http = {"certificate": "credential:c", "private_key": "credential:k"}
    told = {spec.name: spec for spec in children(from_document({"http": http}), IDENTITIES, "1234")}
    assert b'"/run/credentials/unit/k"' in told["worker-0"].configuration
    assert [name for name, spec in told.items() if spec.reloads] == ["worker-0"]
    assert not [name for name, spec in told.items() if name != "worker-0" and b"credentials" in spec.configuration]


def test_good_files_have_no_problem(http: HTTPSettings) -> None:
    assert problems(http, ROOT) == problems(http, None) == []
    assert problems(HTTPSettings(), WORKER) == []


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda place: (place / "key").unlink(), "cannot read the files"),
        (lambda place: (place / "key").write_text("nothing"), "not in PEM"),
        (lambda place: (place / "key").write_text(SERVERS.issue("a")[1]), "do not belong together"),
        (lambda place: (place / "key").chmod(0o644), "everybody may read"),
    ],
)
def test_files_that_are_of_no_use(http: HTTPSettings, tmp_path: Path, spoil, why: str) -> None:
    spoil(tmp_path)
    [problem] = problems(http, None)
    assert problem.startswith("cannot ")
    assert why in problem


def test_files_that_the_workers_cannot_read(http: HTTPSettings, tmp_path: Path) -> None:
    stranger = Identity(os.getuid() + 61701, os.getgid() + 61701)
    found = problems(http, stranger)
    assert found == [
        f"cannot use http.{setting}: uid {stranger.uid} of the workers cannot read {tmp_path / name}"
        for setting, name in (("certificate", "certificate"), ("private_key", "key"))
    ]
    for name in ("certificate", "key"):
        (tmp_path / name).chmod(0o640)
    assert problems(http, Identity(stranger.uid, os.getgid())) == []
    (tmp_path / "certificate").chmod(0o604)
    assert problems(http, stranger) == [found[1]]


def test_development_opens_a_loopback_address_with_tls_too(http: HTTPSettings, tmp_path: Path) -> None:
    tls = {"certificate": http.certificate, "private_key": http.private_key}
    (tmp_path / "secretsd.yaml").write_text(json.dumps({"http": tls}))
    found = dev_settings(tmp_path, "127.0.0.1:0", None).http
    assert (found.listen, found.certificate, found.private_key) == ("127.0.0.1:0", *tls.values())
    with pytest.raises(BadSettings, match="opens a loopback address only"):
        dev_settings(tmp_path, "0.0.0.0:0", None)


def test_a_credential_that_is_not_there_is_named() -> None:
    http = HTTPSettings(None, "credential:tls", "credential:key")
    assert problems(http, None) == [
        "cannot use http.certificate: systemd handed over no credential tls",
        "cannot use http.private_key: systemd handed over no credential key",
    ]
