"""The table of docs/reference/hsm-modules.md is what the probe finds SoftHSM2 to be."""

import json
from pathlib import Path

import pytest

from secretsd.cli.hsm_matrix import markdown
from secretsd.testing.softhsm import SoftHSM, run_once

DOCUMENT = Path(__file__).parents[2] / "docs/reference/hsm-modules.md"
pytestmark = pytest.mark.integration


def test_the_table_of_softhsm_is_what_the_probe_finds(tmp_path: Path) -> None:
    status, output, errors = run_once(SoftHSM.create(tmp_path / "token").configuration("probe"))
    assert status == 0, errors
    found = markdown(json.loads(output))
    text = DOCUMENT.read_text()
    _, begun, rest = text.partition("<!-- what SoftHSM2 can do -->\n")
    table, ended, _ = rest.partition("<!-- end -->")
    assert begun
    assert ended
    assert table.strip() == found.strip(), f"put this table into {DOCUMENT.name}:\n{found}"
