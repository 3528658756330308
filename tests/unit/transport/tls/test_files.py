"""The files of a listener's certificate, and the authorities of clients: they change, and new connections notice."""

import os
import socket
import ssl

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from secretsd.transport import tls
from secretsd.transport.tls import CannotUseCertificate, PlainRefused, TlsContexts, served_by
from tests.unit.transport.tls.place import GET, SERVERS, Place, serial


async def test_a_new_certificate_is_served_to_new_connections_and_the_old_ones_stay(place, told):
    place.start()
    before = await serial(place)
    reader, writer = await place.connect()
    place.write(*SERVERS.issue("localhost", "127.0.0.1"))
    assert await serial(place) == before, "nobody looks twice in a second"
    place.clock.now = 1.0
    assert await serial(place) != before
    writer.write(GET)
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()
    assert told.records == []


async def test_a_reload_reads_at_once(place):
    place.start()
    before = await serial(place)
    place.write(*SERVERS.issue("localhost", "127.0.0.1"))
    place.contexts.reload()
    assert await serial(place) != before


async def test_while_the_files_do_not_fit_the_old_ones_serve_on_and_the_log_says_so_once(place, told):
    place.start()
    before = await serial(place)
    certificate, key = SERVERS.issue("localhost", "127.0.0.1")
    (place.directory / "certificate").write_text(certificate)
    for place.clock.now in (1.0, 2.0, 3.0):
        assert await serial(place) == before
    [record] = told.records
    assert record.getMessage().endswith("they do not belong together; the one before serves on")
    (place.directory / "key").write_text(key)
    place.clock.now = 4.0
    assert await serial(place) != before


async def test_what_went_wrong_in_passing_is_tried_again_though_no_file_changes(place, told, monkeypatch):
    place.start()
    before = await serial(place)
    genuine = tls._made

    def out_of_descriptors(*_: object) -> ssl.SSLContext:
        raise CannotUseCertificate("cannot read the files: too many open files")

    monkeypatch.setattr(tls, "_made", out_of_descriptors)
    place.write(*SERVERS.issue("localhost", "127.0.0.1"))
    place.clock.now = 1.0
    assert await serial(place) == before
    monkeypatch.setattr(tls, "_made", genuine)
    place.clock.now = 2.0
    assert await serial(place) != before
    assert "can be used again" in told.text


async def test_a_link_that_turns_to_another_file_is_a_change(place):
    for name in ("old", "new"):
        certificate, key = SERVERS.issue("localhost", "127.0.0.1")
        (place.directory / name).write_text(certificate + key)
        (place.directory / name).chmod(0o600)
    link = place.directory / "link"
    link.symlink_to("old")
    contexts = TlsContexts(link, link, place.anchors, place.clock)
    before = await contexts.context()
    (place.directory / "next").symlink_to("new")
    (place.directory / "next").rename(link)
    place.clock.now = 1.0
    assert await contexts.context() is not before


async def test_anchors_that_come_and_go_change_the_handshake_without_a_restart(place, root):
    place.start()
    issued = root.issue("web.example")
    assert (await place.get(issued)).startswith(b"HTTP/1.1 200")
    place.anchors.become(root.pem)
    assert (await place.get(issued)).startswith(b"HTTP/1.1 200")
    place.anchors.become("")
    assert (await place.get(issued)).startswith(b"HTTP/1.1 200")
    assert [one.caller.certificate is not None for one in place.dialect.asked] == [False, True, False]


async def test_while_the_anchors_cannot_be_had_the_last_known_serve_on(place, root):
    place.anchors.become(root.pem)
    place.start()
    assert (await place.get(root.issue("web.example"))).startswith(b"HTTP/1.1 200")
    place.anchors.failure = RuntimeError("storage is away")
    assert (await place.get(root.issue("web.example"))).startswith(b"HTTP/1.1 200")
    assert place.dialect.asked[1].caller.certificate is not None


def fifo(place: Place) -> None:
    """What a reader would wait for."""
    (place.directory / "key").unlink()
    os.mkfifo(place.directory / "key")


def encrypted(place: Place) -> None:
    certificate, _ = SERVERS.issue("localhost")
    key = rsa.generate_private_key(65537, 2048)
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    place.write(certificate, text.decode())


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda place: (place.directory / "key").unlink(), "No such file"),
        (lambda place: (place.directory / "certificate").unlink(), "No such file"),
        (lambda place: (place.directory / "key").write_text("nothing"), "not in PEM"),
        (lambda place: (place.directory / "certificate").write_text(""), "not in PEM"),
        (lambda place: (place.directory / "key").write_text(SERVERS.issue("a")[1]), "do not belong together"),
        (lambda place: (place.directory / "key").chmod(0o644), "everybody may read it"),
        (lambda place: ((place.directory / "key").unlink(), (place.directory / "key").mkdir()), "it is no file"),
        (fifo, "it is no file"),
        (encrypted, "it is encrypted"),
    ],
)  # fmt: skip
async def test_files_that_are_of_no_use_are_refused_and_named(place, spoil, why):
    spoil(place)
    with pytest.raises(CannotUseCertificate, match=why) as refused:
        place.load()
    assert str(refused.value).startswith("cannot ")
    assert "BEGIN" not in str(refused.value)


def test_plain_http_beyond_loopback_is_refused():
    class Everywhere:
        family = socket.AF_INET

        def getsockname(self) -> tuple[str, int]:
            return ("0.0.0.0", 8280)  # that is what is refused

    with pytest.raises(PlainRefused, match=r"^cannot serve on 0\.0\.0\.0 port 8280: beyond loopback"):
        served_by(Everywhere(), None)  # type: ignore[arg-type]  # a socket as far as it is looked at


async def test_unix_sockets_and_loopback_need_no_tls(place, tmp_path, told):
    contexts = place.load()
    with socket.socket(socket.AF_UNIX) as local, socket.create_server(("127.0.0.1", 0)) as loopback:
        local.bind(str(tmp_path / "socket"))
        assert served_by(local, contexts) is None
        assert served_by(loopback, None) is None
        assert "for this host only" in told.text
        assert served_by(loopback, contexts) is contexts
