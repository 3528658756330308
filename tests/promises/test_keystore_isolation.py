"""The keystore process gives nothing away: not to other users, not to its own, and it loads no more than its part."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.testing.keystore_suite import CONTEXT, TEXT, USE, metadata
from secretsd.testing.softhsm import KeyStoreProcess, SoftHSM

pytestmark = pytest.mark.integration
OWNER, WORKER = 61701, 61702
# Tries to read, one by one, and names what it could.
SPY = """
import ctypes, os, sys
pid, *paths = sys.argv[1:]
could = []
def attempt(what, act):
    try:
        act()
    except OSError:
        return
    could.append(what)
for name in ("mem", "maps", "environ", "stack", "auxv"):
    attempt(name, lambda: os.open(f"/proc/{pid}/{name}", os.O_RDONLY))
attempt("fd", lambda: os.listdir(f"/proc/{pid}/fd"))
for fd in range(8):
    attempt(f"fd/{fd}", lambda: os.open(f"/proc/{pid}/fd/{fd}", os.O_RDONLY))
libc = ctypes.CDLL(None, use_errno=True)
if libc.ptrace(16, int(pid), 0, 0) == 0:
    could.append("ptrace")
buffer = ctypes.create_string_buffer(8)
class Part(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]
mine, theirs = Part(ctypes.addressof(buffer), 8), Part(0x400000, 8)
if libc.process_vm_readv(int(pid), ctypes.byref(mine), 1, ctypes.byref(theirs), 1, 0) >= 0 or ctypes.get_errno() != 1:
    could.append("process_vm_readv")
for path in paths:
    attempt(path, lambda: os.listdir(path) if os.path.isdir(path) else os.open(path, os.O_RDONLY))
print(*could, sep="\\n", end="")
"""


def become(uid: int) -> list[str]:
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--"]


def spy(uid: int, pid: int, *paths: Path) -> str:
    """What a process of that uid could read of the process and of the paths."""
    command = [
        "setpriv",
        f"--reuid={uid}",
        f"--regid={uid}",
        "--clear-groups",
        "--",
        "/usr/bin/python3",
        "-I",
        "-c",
        SPY,
    ]
    return subprocess.run([*command, str(pid), *map(str, paths)], check=True, capture_output=True, text=True).stdout


@pytest.mark.needs_root
def test_nobody_reads_memory_descriptors_token_or_pin(passable_path: Path) -> None:
    token = SoftHSM.create(passable_path / "keystore", uid=OWNER)
    with KeyStoreProcess(token) as process:
        secret_places = [token.data_dir, *token.data_dir.iterdir(), *(token.directory / "tokens").rglob("*")]
        assert len(secret_places) > 8
        token.directory.chmod(0o711)
        assert spy(WORKER, process.pid, *secret_places) == ""
        assert spy(OWNER, process.pid) == "", "its own uid reads its memory"
        bystander = subprocess.Popen([*become(OWNER), "sleep", "60"])
        try:
            until_user(bystander.pid, OWNER)
            assert "mem" in spy(OWNER, bystander.pid).splitlines(), "the spy sees nothing anywhere: it proves nothing"
        finally:
            bystander.kill()
            bystander.wait()


def until_user(pid: int, uid: int) -> None:
    """Wait until the process has become that user and runs what it was started for."""
    deadline = time.monotonic() + 30
    while True:
        owner = Path(f"/proc/{pid}").stat().st_uid
        if owner == uid and b"sleep" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]:
            return
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def test_the_pin_and_plaintexts_are_in_no_argument_environment_or_file(tmp_path: Path) -> None:
    token = SoftHSM.create(tmp_path / "keystore")
    with KeyStoreProcess(token) as process:
        keystore = ProcessKeyStore(process.path, deadline_seconds=30)
        key = await keystore.generate_key(metadata())
        ciphertext = await keystore.encrypt(key, USE, TEXT, CONTEXT)
        assert await keystore.decrypt(key, USE, ciphertext, CONTEXT) == TEXT
        storage_key = await keystore.storage_key()
        await keystore.close()
        secrets = [token.pin.encode(), TEXT.reveal(), storage_key.reveal(), token.initialised["so_pin"].encode()]
        seen = [Path(f"/proc/{process.pid}/{name}") for name in ("cmdline", "environ")]
        seen += [path for path in tmp_path.rglob("*") if path.is_file()]  # noqa: ASYNC240 - a few local files
        assert len(seen) > 8
        for path in seen:
            content = path.read_bytes()
            assert not [secret for secret in secrets if secret in content], path.name


def test_it_leaves_no_core_and_reads_its_configuration_once(tmp_path: Path) -> None:
    with KeyStoreProcess(SoftHSM.create(tmp_path / "keystore")) as process:
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        (core,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
        assert core.split()[4:6] == ["0", "0"]
        assert os.readlink(f"/proc/{process.pid}/fd/0") == "/dev/null"


def test_it_loads_msgspec_and_python_pkcs11_alone() -> None:
    """What Python really loads, beside what test_imports.py reads in the sources."""
    script = (
        "import sys; import secretsd.adapters.keystore_process.__main__;"
        "print(*{name.split('.')[0] for name, module in sys.modules.items()"
        " if 'site-packages' in (getattr(module, '__file__', None) or '')}, sep='\\n')"
    )
    found = subprocess.run([sys.executable, "-I", "-c", script], check=True, capture_output=True, text=True).stdout
    foreign = {name for name in found.split() if not name.startswith(("_", "secretsd"))}
    # msgspec takes typing_extensions where it happens to be installed; the process's own lock has none.
    assert foreign - {"typing_extensions"} == {"msgspec", "pkcs11", "asn1crypto"}
