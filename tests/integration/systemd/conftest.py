"""One box for all tests of this directory, with secretsd initialised and its three services running."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PIN = "c4nary246813"
HERE = Path(__file__).parent


def _box() -> Any:
    """The module beside this one; tests are imported by path, so it has to be loaded the same way."""
    name = "secretsd_tests_systemd_box"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, HERE / "box.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if reason := _box().missing():
        pytest.skip(reason)
    with _box().boot(tmp_path_factory.mktemp("systemd")) as running:
        running.run("mkdir", "-p", "/etc/credstore.encrypted")
        running.run("sh", "-c", "echo '{}' >/etc/secretsd/secretsd.yaml")
        encrypted = "/etc/credstore.encrypted/hsm-pin"
        running.run("systemd-creds", "encrypt", "--with-key=host", "--name=hsm-pin", "-", encrypted, given=PIN)
        running.run("secretsd", "init", "--no-recovery", "--pin-fd", "0", "--output", "/run/recovery.json", given=PIN)
        running.run("systemctl", "enable", "--now", "secretsd.service")
        yield running


@pytest.fixture(scope="session")
def pin() -> str:
    return PIN
