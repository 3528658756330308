"""The supervisor: owns the listening sockets, starts, watches and restarts the children, and parses nothing."""

from secretsd.supervisor.spawn import run_once
from secretsd.supervisor.specification import ChildSpec, InheritedListener, Listener, TCPListener, UnixListener
from secretsd.supervisor.supervisor import Supervisor

__all__ = ["ChildSpec", "InheritedListener", "Listener", "Supervisor", "TCPListener", "UnixListener", "run_once"]
