"""How long and how large a run is."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """`rounds` are pairs A B; a round measures for `seconds`. `directory` holds all state and is empty at first.

    `quick` asks for a smoke run: everything runs, the numbers mean little. `secrets` is how many are read, or written
    by each connection times eight; `sizes` are the numbers of stored secrets that `scale` compares.
    `kills` and `seed` are the hunts': each has its own number where none is given, and draws a seed and says so.
    """

    directory: Path
    quick: bool = False
    rounds: int = 5
    seconds: float = 4.0
    warm_up_seconds: float = 1.0
    secrets: int = 256
    sizes: tuple[int, ...] = (1_000, 100_000)
    kills: int | None = None
    seed: int | None = None


def quick(directory: Path) -> Options:
    """A smoke run: seconds in all."""
    return Options(
        directory, True, rounds=1, seconds=0.5, warm_up_seconds=0.2, secrets=32, sizes=(100, 2_000), kills=16
    )
