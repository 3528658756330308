"""A token behind a shim that fails as told, the keystore process on it, and a client."""

import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.testing.softhsm import KeyStoreProcess, SoftHSM, softhsm_module

from .ceremonies import public_pem

SOURCE = Path(__file__).with_name("fault_shim.c")


@dataclass(frozen=True)
class Shim:
    """The built module; `fail` replaces its faults (see fault_shim.c), without arguments it removes them.

    `standing` is what the module is all the time.
    """

    path: Path
    control: Path
    trace: Path
    standing: tuple[str, ...] = ()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "FAULT_SHIM_MODULE": softhsm_module(),
            "FAULT_SHIM_CONTROL": str(self.control),
            "FAULT_SHIM_TRACE": str(self.trace),
        }

    def fail(self, *faults: str) -> None:
        beside = self.control.with_suffix(".new")
        beside.write_text("".join(f"{fault}\n" for fault in (*self.standing, *faults)))
        beside.rename(self.control)

    def logins(self) -> int:
        return self.trace.read_text().splitlines().count("C_Login") if self.trace.exists() else 0


@pytest.fixture(scope="session")
def built_shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("shim") / "fault_shim.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-I/usr/include/p11-kit-1"]
    subprocess.run([*command, "-o", str(library), str(SOURCE), "-ldl"], check=True)
    return library


def without(*mechanisms: int) -> tuple[str, ...]:
    """A module that neither names these mechanisms nor does them."""
    return tuple(f"C_GetMechanismList hide {one:#x} -1" for one in mechanisms) + tuple(
        f"* refuse {one:#x} -1" for one in mechanisms
    )


@pytest.fixture(scope="module")
def standing() -> tuple[str, ...]:
    """What the module behind the shim is, for a test file to override."""
    return ()


@pytest.fixture(scope="module")
def module_shim(built_shim: Path, tmp_path_factory: pytest.TempPathFactory, standing: tuple[str, ...]) -> Shim:
    place = tmp_path_factory.mktemp("faults")
    shim = Shim(built_shim, place / "control", place / "trace", standing)
    shim.fail()
    return shim


@pytest.fixture(scope="module")
def token(module_shim: Shim, tmp_path_factory: pytest.TempPathFactory) -> SoftHSM:
    directory = tmp_path_factory.mktemp("token")
    return SoftHSM.create(directory, module=str(module_shim.path), environment=module_shim.environment)


@pytest.fixture(scope="module")
def module_process(token: SoftHSM) -> Iterator[KeyStoreProcess]:
    with KeyStoreProcess(token) as process:
        yield process


@pytest.fixture
def shim(module_shim: Shim) -> Iterator[Shim]:
    module_shim.fail()
    yield module_shim
    module_shim.fail()


@pytest.fixture
def process(module_process: KeyStoreProcess, shim: Shim) -> KeyStoreProcess:
    """The module's process, started again if a test has ended it."""
    if not module_process.pid:
        module_process.start()
    return module_process


@pytest.fixture
async def connect(process: KeyStoreProcess) -> AsyncIterator[Callable[..., ProcessKeyStore]]:
    """Makes clients, and closes them after the test."""
    made: list[ProcessKeyStore] = []

    def make(deadline_seconds: float = 30) -> ProcessKeyStore:
        made.append(ProcessKeyStore(process.path, deadline_seconds=deadline_seconds))
        return made[-1]

    yield make
    for keystore in made:
        await keystore.close()


@pytest.fixture
def keystore(connect: Callable[..., ProcessKeyStore]) -> ProcessKeyStore:
    return connect()


@pytest.fixture(scope="session")
def operator() -> rsa.RSAPrivateKey:
    """The operator's own key, whose public half wraps the root for him."""
    return rsa.generate_private_key(public_exponent=65537, key_size=3072)


@pytest.fixture
def root(tmp_path: Path, operator: rsa.RSAPrivateKey) -> SoftHSM:
    """A token of the test's own, with a recovery wrap."""
    return SoftHSM.create(tmp_path / "own", recovery_public_key=public_pem(operator))


@pytest.fixture
def serving(root: SoftHSM) -> Iterator[KeyStoreProcess]:
    """The process on it."""
    with KeyStoreProcess(root) as process:
        yield process


@pytest.fixture
async def client(serving: KeyStoreProcess) -> AsyncIterator[ProcessKeyStore]:
    """A client of that process."""
    keystore = ProcessKeyStore(serving.path, deadline_seconds=30)
    yield keystore
    await keystore.close()
