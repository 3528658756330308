"""Which unit a cgroup tells of: the one that systemd started, whatever else is written further down or elsewhere."""

import pytest

from secretsd.transport.units import unit_of_cgroup


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("/system.slice/nginx.service", "nginx.service"),
        ("/system.slice/system-foo.slice/foo@x.service", "foo@x.service"),
        ("/system.slice/system-foo.slice/system-foo-bar.slice/x.service", "x.service"),
        (r"/system.slice/system-serial\x2dgetty.slice/serial-getty@ttyS0.service", "serial-getty@ttyS0.service"),
        # What runs in a delegated unit names the cgroups under it as it likes.
        ("/system.slice/nginx.service/a/b", "nginx.service"),
        ("/system.slice/box.service/system.slice/nginx.service", "box.service"),
        ("/system.slice/box.service/payload (deleted)", "box.service"),
        # systemd's mark before names that the kernel could take for a file of its own.
        ("/system.slice/_memory.service", "memory.service"), ("/system.slice/__memory.service", "_memory.service"),
        ("/", ""), ("", ""), ("/init.scope", ""), ("/system.slice", ""), ("/nginx.service", ""),
        ("/system.slice/docker-abc.scope", ""), ("/system.slice/docker-abc.scope/system.slice/nginx.service", ""),
        ("/system.slice/x.socket/nginx.service", ""), ("/system.slice/dir/nginx.service", ""),
        ("/user.slice/user-1000.slice/user@1000.service", ""),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/nginx.service", ""),
        ("/user.slice/user-1000.slice/user@1000.service/system.slice/nginx.service", ""),
        ("/machine.slice/box.scope/system.slice/nginx.service", ""),
        ("/docker/abc/system.slice/nginx.service", ""), ("system.slice/nginx.service", ""),
        ("x/system.slice/nginx.service", ""),
        # A slice that systemd would not put there: it is nested by its name.
        ("/system.slice/evil.slice/nginx.service", ""), ("/system.slice/system-a-b.slice/nginx.service", ""),
        ("/system.slice/system-foo.slice/other-foo-bar.slice/nginx.service", ""),
        ("/system.slice/system.slice/nginx.service", ""), ("/system.slice/-.slice/nginx.service", ""),
        # Seen from another cgroup namespace; and what is no name of a service.
        ("/../system.slice/nginx.service", ""), ("/system.slice/../nginx.service", ""),
        ("/system.slice/..", ""), ("/system.slice/nginx.service (deleted)", ""), ("/system.slice/.service", ""),
        ("/system.slice/a b.service", ""), ("/system.slice/é.service", ""), ("/system.slice//nginx.service", ""),
        ("/System.slice/nginx.service", ""), ("/system.slice/nginx.Service", ""),
        (f"/system.slice/{'a' * 247}.service", f"{'a' * 247}.service"), (f"/system.slice/{'a' * 248}.service", ""),
    ],
)  # fmt: skip
def test_units_of_cgroups(path: str, unit: str) -> None:
    assert unit_of_cgroup(f"0::{path}\n") == unit
    assert unit_of_cgroup(f"1:name=systemd:/system.slice/other.service\n0::{path}\n") == unit


@pytest.mark.parametrize(
    "text", ["", "1:name=systemd:/system.slice/a.service\n", "00::/system.slice/a.service\n", "\0"]
)
def test_without_the_unified_hierarchy_there_is_no_unit(text: str) -> None:
    assert unit_of_cgroup(text) == ""
