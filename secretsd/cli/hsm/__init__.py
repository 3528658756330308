"""`secretsd hsm`: the key ceremony, from making the root to destroying it, and what an operator does off the host."""

from secretsd.cli.hsm import evidence, recovery, roots, transfer
from secretsd.cli.hsm.app import app

__all__ = ["app", "evidence", "recovery", "roots", "transfer"]
