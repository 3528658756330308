"""What every child of the supervisor does."""

import subprocess
import sys

SETTLED = """
import gc, weakref
from secretsd.adapters import child

class Loop:
    def __init__(self):
        self.itself = self

before = weakref.ref(Loop())
child.settle()
examined = len(gc.get_objects())
after = weakref.ref(Loop())
gc.collect()
print(before() is None, after() is None, examined < 1000 < gc.get_freeze_count())
"""


def test_what_is_there_when_a_child_is_ready_is_looked_through_no_more_and_later_garbage_still_is() -> None:
    found = subprocess.run([sys.executable, "-c", SETTLED], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["True"] * 3
