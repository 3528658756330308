"""Logging in: a refused PIN ends it for good, whatever else goes wrong in the same moment."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pkcs11.exceptions import PinIncorrect

from secretsd.adapters.pkcs11.faults import PinRefused
from secretsd.adapters.pkcs11.pin_latch import PinLatch
from secretsd.adapters.pkcs11.token_session import TokenSession


class RefusingLibrary:
    """A module whose token takes no PIN, as its own error says."""

    def token(self, _label: str) -> Any:
        def refuse(**_: Any) -> Any:
            raise PinIncorrect

        return SimpleNamespace(open=refuse)


@pytest.mark.parametrize("there", [True, False], ids=["a disk", "no disk"])
def test_a_refused_pin_is_refused_for_good_with_and_without_a_disk_to_keep_it(tmp_path: Path, there: bool) -> None:
    latch = PinLatch(tmp_path / ("." if there else "gone") / "pin-refused")
    library: Any = RefusingLibrary()
    with pytest.raises(PinRefused, match=r"^cannot log in to the token: it refuses the PIN"):
        TokenSession(library, "token", "1234", latch).open()
    if there:
        with pytest.raises(PinRefused, match="refused this PIN before"):
            latch.check("1234")
