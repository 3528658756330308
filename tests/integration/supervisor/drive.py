"""Runs a supervisor over the children that a JSON file describes; the tests start this as a process of its own."""

import json
import os
import sys
from pathlib import Path

from secretsd.supervisor import ChildSpec, InheritedListener, Supervisor, TCPListener, UnixListener

LISTENERS = {"unix": UnixListener, "tcp": TCPListener, "inherited": InheritedListener}


def listener(described):
    kind = described.pop("kind")
    if kind == "unix":
        described["path"] = Path(described["path"])
    return LISTENERS[kind](**described)


def spec(described):
    described["argv"] = tuple(described["argv"])
    described["after"] = tuple(described.get("after", ()))
    described["listeners"] = tuple(listener(one) for one in described.get("listeners", ()))
    described["configuration"] = json.dumps(described["configuration"]).encode()
    return ChildSpec(**{"uid": os.getuid(), "gid": os.getgid(), **described})


def ready(addresses):
    print("ready " + json.dumps({str(one): address for one, address in addresses.items()}), flush=True)


described = json.loads(Path(sys.argv[1]).read_text())
sys.exit(
    Supervisor(
        [spec(one) for one in described["children"]], on_ready=ready, stop_seconds=described["stop_seconds"]
    ).run()
)
