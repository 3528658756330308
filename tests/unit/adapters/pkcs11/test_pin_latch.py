"""The latch remembers a refused PIN without telling it."""

from pathlib import Path

import pytest

from secretsd.adapters.pkcs11.faults import PinRefused
from secretsd.adapters.pkcs11.pin_latch import PinLatch


def test_only_the_refused_pin_is_stopped(tmp_path: Path) -> None:
    latch = PinLatch(tmp_path / "pin-refused")
    latch.check("1234")
    latch.close("1234")
    with pytest.raises(PinRefused, match=r"^cannot log in .* change the PIN") as caught:
        latch.check("1234")
    assert "1234" not in str(caught.value)
    latch.check("12345")
    PinLatch(tmp_path / "pin-refused").check("123")


def test_an_opened_latch_stops_nothing(tmp_path: Path) -> None:
    latch = PinLatch(tmp_path / "pin-refused")
    latch.close("1234")
    latch.open()
    latch.check("1234")
    latch.open()


def test_the_file_holds_neither_the_pin_nor_the_same_twice(tmp_path: Path) -> None:
    path = tmp_path / "pin-refused"
    latch = PinLatch(path)
    latch.close("a-long-enough-pin")
    first = path.read_bytes()
    latch.close("a-long-enough-pin")
    assert first != path.read_bytes()
    assert b"pin" not in first
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["pin-refused"]
