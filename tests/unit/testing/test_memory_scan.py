"""The search of memory misses no place and no shape: every alignment, borders, guarded pages, shared chunks, digits."""

import ctypes
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from secretsd.testing import key_shapes
from secretsd.testing.memory_scan import SHORTEST, MemoryScan, Needle, Sighting, family, open_files

CHUNK = 1 << 16
INT_HEAD_BYTES = 24  # of a Python integer: references, type, number of digits


@pytest.fixture
def mapped() -> Iterator[mmap.mmap]:
    """Memory of this process with a name of its own, several chunks long."""
    fd = os.memfd_create("searched-by-a-test")
    os.ftruncate(fd, 4 * CHUNK)
    with mmap.mmap(fd, 4 * CHUNK, flags=mmap.MAP_PRIVATE) as found:
        os.close(fd)
        yield found


def seen_there(scan: MemoryScan) -> set[str]:
    """The needles that this process has in that memory, wherever else it has them."""
    return {found.needle for found in scan.process(os.getpid()) if "searched-by-a-test" in found.where}


@pytest.mark.parametrize("size", [SHORTEST, 17, 31, 64, 1200])
def test_a_needle_is_found_at_every_place(size: int) -> None:
    scan = MemoryScan([Needle("it", needle := os.urandom(size)), Needle("another", os.urandom(32))])
    almost = needle[:-1] + bytes([needle[-1] ^ 1])
    for place in range(40):
        for rest in (0, 1, 7):
            assert scan.text("here", os.urandom(place) + needle + os.urandom(rest)) == [Sighting("it", "here")]
            assert scan.text("here", os.urandom(place) + almost + os.urandom(rest)) == []


def test_a_needle_is_found_across_the_border_of_two_chunks_and_on_the_last_bytes(mapped: mmap.mmap) -> None:
    needles = [Needle(f"at {place}", os.urandom(47)) for place in (CHUNK - 46, 2 * CHUNK - 1, 4 * CHUNK - 47)]
    for needle in needles:
        place = int(needle.name.removeprefix("at "))
        mapped[place : place + 47] = needle.data
    scan = MemoryScan([*needles, Needle("long", os.urandom(900))])
    assert seen_there(scan) == {needle.name for needle in needles}
    assert scan.searched_bytes > 4 * CHUNK


def test_memory_that_is_guarded_against_its_own_process_is_read_too(mapped: mmap.mmap) -> None:
    needle = Needle("it", os.urandom(32))
    mapped[5000:5032] = needle.data
    place = ctypes.addressof(ctypes.c_char.from_buffer(mapped))
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    assert protect(ctypes.c_void_p(place), 4 * CHUNK, 0) == 0
    try:
        assert seen_there(MemoryScan([needle])) == {"it"}
    finally:
        protect(ctypes.c_void_p(place), 4 * CHUNK, mmap.PROT_READ | mmap.PROT_WRITE)


def test_what_was_seen_before_is_told_again(mapped: mmap.mmap) -> None:
    scan = MemoryScan([Needle("it", needle := os.urandom(32))])
    assert seen_there(scan) == set()
    mapped[100:132] = needle
    assert seen_there(scan) == seen_there(scan) == {"it"}
    mapped[100:132] = bytes(32)
    assert seen_there(scan) == set()


def test_a_file_is_searched_with_its_name(tmp_path: Path) -> None:
    needles = {name: os.urandom(20) for name in ("content", "name")}
    scan = MemoryScan(Needle(name, data.hex().encode()) for name, data in needles.items())
    (tmp_path / "a").write_bytes(b"x" + needles["content"].hex().encode())
    (tmp_path / needles["name"].hex()).write_bytes(b"")
    assert {found.needle for found in scan.files([*tmp_path.iterdir(), tmp_path / "gone"])} == set(needles)


def test_what_stands_everywhere_is_not_looked_for() -> None:
    for data in (bytes(32), b"abab" * 8, os.urandom(SHORTEST - 1)):
        with pytest.raises(ValueError, match="cannot look for it"):
            Needle("it", data)


def test_neither_needle_nor_sighting_shows_the_bytes() -> None:
    needle = Needle("it", b"0123456789abcdef" * 2)
    assert "0123456789" not in repr(needle) + repr(MemoryScan([needle]).text("here", needle.data))


def test_a_process_that_is_gone_is_no_clean_one() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    with pytest.raises(OSError, match="No such"):
        MemoryScan([Needle("it", os.urandom(32))]).process(child)


def test_a_family_has_all_that_descend_from_it(tmp_path: Path) -> None:
    assert family(os.getpid())[0] == os.getpid()
    assert os.getpid() in family(os.getppid())
    with (tmp_path / "open").open("w") as file:
        assert (tmp_path / "open") in {Path(os.readlink(fd)) for fd in open_files(os.getpid())}
        (tmp_path / "open").unlink()
        assert any("open (deleted)" in os.readlink(fd) for fd in open_files(os.getpid()))
        file.write("still there")


def test_python_keeps_a_number_as_the_shapes_say() -> None:
    value = ec.generate_private_key(ec.SECP384R1()).private_numbers().private_value
    held = ctypes.string_at(id(value) + INT_HEAD_BYTES, 4 * -(-value.bit_length() // 30))
    found = MemoryScan(key_shapes.number("it", value, 48)).text("here", held)
    assert [one.needle for one in found] == ["it, in Python's digits, from 0", "it, in Python's digits, from 32"]
