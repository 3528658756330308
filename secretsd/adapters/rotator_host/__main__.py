"""Starts the rotator host as a child of the supervisor."""

from secretsd.adapters.rotator_host.host import main

main()
