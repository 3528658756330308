"""Keystore processes with one thing wrong each. The ledger of the IV hunt has to notice every one of them."""

from dataclasses import dataclass

_START = """
import itertools, os, random, time
from secretsd.adapters.keystore_process import count_mark, use_counts
from secretsd.adapters.keystore_process.__main__ import main
genuine = os.urandom
"""


@dataclass(frozen=True, slots=True)
class Mutant:
    """What is wrong, as a patch of the process before it starts, and part of what has to be said of it."""

    name: str
    patch: str
    noticed: str

    @property
    def program(self) -> str:
        """The whole process."""
        return f"{_START}\n{self.patch}\nmain()\n"

    def __str__(self) -> str:
        return self.name


NONE = Mutant("none", "", "")
MUTANTS = (
    Mutant(
        "a block is used before it is on the disk",
        "use_counts.UseCounts._append = lambda self, records: None",
        "were made, and",
    ),
    Mutant(
        "a block is used again after a restart",
        "use_counts._read = lambda path: ()\ncount_mark._read = lambda slot: 0",
        "fell from",
    ),
    Mutant(
        "a mark that says that the counts were lost is not believed",
        "count_mark._read = lambda slot: 0",
        "fell from",
    ),
    Mutant(
        "an end in order forgets what was used",
        "genuine_close = use_counts.UseCounts.close\n"
        "def close(self):\n"
        "    for count in self._counts.values():\n"
        "        count.encryptions -= min(count.encryptions, 100)\n"
        "    genuine_close(self)\n"
        "use_counts.UseCounts.close = close",
        "fell from",
    ),
    Mutant(
        "IVs come from a counter that starts again at 0",
        "numbers = itertools.count()\nos.urandom = lambda size: next(numbers).to_bytes(size, 'big')",
        "was used twice",
    ),
    Mutant(
        "IVs come from a generator seeded by the process's id",  # which is the same at each start in a container
        "seeded = random.Random(7)\nos.urandom = seeded.randbytes",
        "was used twice",
    ),
    Mutant(
        "IVs come from a generator seeded by the second",
        "os.urandom = lambda size: random.Random(int(time.time())).randbytes(size)",
        "was used twice",
    ),
    Mutant(
        "IVs come from a clock and never come again",
        "numbers = itertools.count(time.time_ns())\nos.urandom = lambda size: next(numbers).to_bytes(size, 'big')",
        "not drawn at random",
    ),
)
