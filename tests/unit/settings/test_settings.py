"""Settings: everything that is wrong is told at once, by name, without the value that may stand in the wrong place."""

import pytest

from secretsd.settings import BadSettings, Settings, address, as_document, check, from_document, load

PIN = "a-pin-in-the-wrong-place"


def problems(document):
    with pytest.raises(BadSettings) as refused:
        from_document(document)
    return refused.value.problems


def test_nothing_said_is_the_default():
    assert from_document({}) == Settings()
    assert check(Settings()) == []


def test_what_is_written_out_reads_back():
    settings = from_document(
        {"workers": 2, "rotation": {"rotators": ["random", "other"]}, "http": {"listen": "[::1]:1"}}
    )
    assert from_document(as_document(settings)) == settings


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"worker": 2}, "cannot use worker: there is no such setting; did you mean workers?"),
        ({"keystore": {"pinfile": "x"}}, "did you mean keystore.pin_file?"),
        ({"keystore": 5}, "cannot use keystore: it is not a mapping"),
        ([], "cannot use the configuration: it is not a mapping"),
        ({"workers": "2"}, "cannot use workers: it is not a whole number"),
        ({"workers": True}, "cannot use workers: it is not a whole number"),
        ({"workers": 0}, "cannot use workers: it is from 1 to 64"),
        ({"workers": 65}, "cannot use workers: it is from 1 to 64"),
        ({"state_dir": "relative"}, "cannot use state_dir: it is not an absolute path"),
        ({"rotation": {"escrow_dir": "escrow"}}, "cannot use rotation.escrow_dir: it is not an absolute path"),
        ({"state_dir": "/s", "rotation": {"escrow_dir": "/s/storage"}}, "escrow_dir: it is inside the storage"),
        ({"state_dir": "/s", "rotation": {"escrow_dir": "/s/storage/escrow"}}, "escrow_dir: it is inside the storage"),
        ({"state_dir": "/s", "rotation": {"escrow_dir": "/s/x/../storage"}}, "escrow_dir: it is inside the storage"),
        ({"http": {"listen": "0.0.0.0:80"}}, "cannot use http.listen: without TLS only a loopback address is opened"),
        ({"http": {"listen": "[::]:80"}}, "only a loopback address"),
        ({"http": {"listen": "localhost:80"}}, "its form is"),
        ({"http": {"listen": "127.0.0.1"}}, "its form is"),
        ({"http": {"listen": "127.0.0.1:70000"}}, "its form is"),
        ({"http": {"listen": "127.0.0.1:١"}}, "its form is"),
        ({"http": {"certificate": "/c"}}, "http.certificate and http.private_key: neither goes without the other"),
        ({"http": {"private_key": "/k"}}, "http.certificate and http.private_key: neither goes without the other"),
        ({"http": {"certificate": "c", "private_key": "/k"}}, "http.certificate: it is neither an absolute path nor"),
        ({"http": {"certificate": "/c", "private_key": "k"}}, "http.private_key: it is neither an absolute path nor"),
        ({"storage": {"kind": "mysql"}}, "cannot use storage.kind"),
        ({"storage": {"read_events": True}}, "cannot use storage.read_events"),
        ({"keystore": {"stall_seconds": 0}}, "cannot use keystore.stall_seconds: it is not above zero"),
        ({"limits": {"header_seconds": -1}}, "cannot use limits.header_seconds: it is not above zero"),
        ({"keystore": {"environment": {"A": 1}}}, "cannot use keystore.environment"),
        ({"rotation": {"rotators": "random"}}, "cannot use rotation.rotators"),
        ({1: 2}, "a key that is no word"),
    ],
)
def test_what_is_wrong_is_named(document, sentence):
    (problem,) = problems(document)
    assert problem.startswith("cannot use ")
    assert sentence in problem


@pytest.mark.parametrize("listen", ["0.0.0.0:443", "[::]:443", "192.0.2.1:443", "127.0.0.1:443"])
@pytest.mark.parametrize("key", ["/etc/secretsd/key.pem", "credential:tls-key"])
def test_with_tls_any_address_is_opened(listen, key):
    settings = from_document({"http": {"listen": listen, "certificate": "/c.pem", "private_key": key}})
    assert settings.http.listen == listen


def test_all_that_is_wrong_is_told_at_once():
    found = problems({"workers": "x", "nonsense": 1, "keystore": {"pin": PIN, "call_seconds": "soon"}, "http": 3})
    assert len(found) == 5


@pytest.mark.parametrize(
    "document",
    [
        {PIN: 1},
        {"keystore": {PIN + " ": "x"}},
        {"workers": PIN},
        {"http": {"listen": PIN}},
        {"http": {"certificate": PIN, "private_key": PIN}},
        {"keystore": PIN},
        {"keystore": {"environment": PIN}},
        {"storage": {"kind": PIN}},
        {"unix": {"mode": PIN}},
        {"users": {"worker": [PIN]}},
    ],
)
def test_a_value_in_the_wrong_place_is_not_repeated(document):
    assert PIN not in "\n".join(problems(document))


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "\t- x", "? ? :", f"pin: '{PIN}"])
def test_what_is_no_yaml_is_told_with_its_line_and_without_its_text(tmp_path, text):
    path = tmp_path / "secretsd.yaml"
    path.write_text(f"workers: 1\n{text}\n")
    with pytest.raises(BadSettings, match=r"it is not YAML|cannot use") as refused:
        load(path)
    assert PIN not in str(refused.value)


def test_an_empty_file_is_the_default(tmp_path):
    path = tmp_path / "secretsd.yaml"
    path.write_text("# nothing said\n")
    assert load(path) == Settings()
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadSettings, match=r"it is not (UTF-8|YAML)"):
        load(path)


def test_addresses():
    assert address("127.0.0.1:8280") == ("127.0.0.1", 8280)
    assert address("[::1]:0") == ("::1", 0)
    for text in ("", ":1", "127.0.0.1:", "127.0.0.1:-1", "1.2.3:4", "127.0.0.1:1e3"):
        with pytest.raises(ValueError, match=r"port|address"):
            address(text)


def test_directories_follow_the_state_directory():
    settings = from_document({"state_dir": "/a", "runtime_dir": "/b"})
    assert [str(path) for path in (settings.storage_dir, settings.keystore_dir)] == ["/a/storage", "/a/keystore"]
    assert [str(path) for path in (settings.keystore_socket, settings.rotator_socket)] == [
        "/b/keystore.sock",
        "/b/rotator.sock",
    ]


def test_the_escrow_is_beside_the_storage_unless_it_is_put_elsewhere():
    assert str(from_document({"state_dir": "/s"}).escrow_dir) == "/s/escrow"
    assert str(from_document({"rotation": {"escrow_dir": "/mnt/other/escrow"}}).escrow_dir) == "/mnt/other/escrow"


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("limits", "header_seconds", float("nan")),
        ("keystore", "stall_seconds", float("nan")),
        ("limits", "idle_seconds", -1.0),
        ("limits", "max_connections", 0),
        ("limits", "max_in_flight", -5),
        ("cache", "max_rows", -1),
    ],
)
def test_a_number_that_nothing_could_work_with(section: str, name: str, value: float) -> None:
    with pytest.raises(BadSettings, match=f"cannot use {section}.{name}"):
        from_document({section: {name: value}})
