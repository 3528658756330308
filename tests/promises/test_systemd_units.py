"""The units that we ship: systemd understands them, they are locked down, and they agree with each other."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
SOCKETS = sorted(path.name for path in UNITS.glob("*.socket"))
# What `systemd-analyze security` may say at most, in tenths; the rest of the way is open network and /proc.
MOST_EXPOSED = 20

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")


def settings(name: str) -> dict[str, list[str]]:
    """Every setting of a unit, in order, with all its values."""
    found: dict[str, list[str]] = {}
    for line in (UNITS / name).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def analyze(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "SYSTEMD_COLORS": "0", **environment},
        timeout=60,
    )


def test_there_is_a_service_for_each_user_and_a_socket_for_each_service() -> None:
    assert SERVICES == ["secretsd-keystore.service", "secretsd-rotator.service", "secretsd.service"]
    sockets = {
        Path(name).stem: (settings(name).get("Service") or [f"{Path(name).stem}.service"])[0] for name in SOCKETS
    }
    assert sorted(set(sockets.values())) == SERVICES
    assert sockets["secretsd-keystore-slow"] == "secretsd-keystore.service"
    assert len(sockets) == len(SERVICES) + 1


@pytest.mark.parametrize("name", [*SERVICES, *SOCKETS])
def test_systemd_understands_it(name: str, tmp_path: Path) -> None:
    for path in UNITS.iterdir():
        text = path.read_text()
        # The command is installed later; everything else is tried as it is.
        (tmp_path / path.name).write_text(
            re.sub(r"^ExecStart=/usr/bin/secretsd\b.*$", "ExecStart=/bin/true", text, flags=re.MULTILINE)
        )
    done = analyze("verify", "--recursive-errors=yes", str(tmp_path / name), SYSTEMD_UNIT_PATH=f"{tmp_path}:")
    about_ours = [line for line in done.stderr.splitlines() if "secretsd" in line]
    assert about_ours == []


def test_the_check_above_would_notice(tmp_path: Path) -> None:
    broken = tmp_path / "secretsd.service"
    broken.write_text((UNITS / "secretsd.service").read_text().replace("ProtectHome=yes", "ProtectHone=yes"))
    done = analyze("verify", str(broken), SYSTEMD_UNIT_PATH=f"{tmp_path}:")
    assert "'ProtectHone'" in done.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_it_is_locked_down(name: str) -> None:
    done = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(UNITS / name))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", SERVICES)
def test_it_runs_its_own_part_under_its_own_user(name: str) -> None:
    stem = Path(name).stem
    unit = settings(name)
    role = "worker" if stem == "secretsd" else stem.removeprefix("secretsd-")
    assert unit["ExecStart"] == [f"/usr/bin/secretsd serve --only {role}"]
    assert unit["User"] == unit["Group"] == [stem]
    users = re.findall(r"^u (\S+) ", (UNITS / "secretsd.sysusers").read_text(), re.MULTILINE)
    assert stem in users


@pytest.mark.parametrize("name", SERVICES)
def test_it_is_watched_and_a_fault_of_configuration_stays_stopped(name: str) -> None:
    unit = settings(name)
    assert (unit["Type"], unit["RestartPreventExitStatus"], unit["Restart"]) == (["notify"], ["78"], ["always"])
    assert int(unit["WatchdogSec"][0]) > 0
    assert unit["LimitCORE"] == ["0"]


def test_only_the_key_store_gets_the_pin_and_it_gets_no_network() -> None:
    with_credentials = [name for name in SERVICES if any(key.startswith("LoadCredential") for key in settings(name))]
    assert with_credentials == ["secretsd-keystore.service"]
    unit = settings("secretsd-keystore.service")
    assert (unit["PrivateNetwork"], unit["RestrictAddressFamilies"]) == (["yes"], ["AF_UNIX"])
    assert not any(re.search(r"(?i)pin", value) for key in unit for value in unit[key] if key.startswith("Environment"))


def test_the_inner_sockets_are_for_the_workers_alone() -> None:
    for role in ("keystore", "keystore-slow", "rotator"):
        unit = settings(f"secretsd-{role}.socket")
        assert unit["ListenStream"] == [f"/run/secretsd/{role}.sock"]
        assert (unit["SocketUser"], unit["SocketMode"]) == (["secretsd"], ["0600"])
        assert unit["FileDescriptorName"] == [role]


@pytest.mark.parametrize("name", SERVICES)
def test_it_leaves_the_sockets_where_they_are(name: str) -> None:
    """A service's RuntimeDirectory= takes away on restart what a socket unit bound inside; measured."""
    assert "RuntimeDirectory" not in settings(name)


@pytest.mark.parametrize("name", ["secretsd.service", "secretsd-keystore.service", "secretsd-rotator.service"])
def test_a_peers_uid_stays_what_it_is(name: str) -> None:
    assert settings(name).get("PrivateUsers", ["no"]) == ["no"]


def test_workers_can_see_which_unit_calls() -> None:
    assert not {"ProtectProc", "ProcSubset"} & settings("secretsd.service").keys()


def test_sysusers_and_tmpfiles_are_understood(tmp_path: Path) -> None:
    for tool, snippet in (("systemd-sysusers", "secretsd.sysusers"), ("systemd-tmpfiles", "secretsd.tmpfiles")):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")
        arguments = ["--create"] if tool == "systemd-tmpfiles" else []
        root = tmp_path / tool
        (root / "etc").mkdir(parents=True)
        done = subprocess.run(
            [tool, f"--root={root}", *arguments, str(UNITS / snippet)], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        assert "Failed to parse" not in done.stderr
