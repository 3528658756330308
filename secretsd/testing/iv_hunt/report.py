"""What a hunt did and found, as text."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from secretsd.testing.iv_hunt.plan import MOMENTS, Blow, Moment, Strike

_SHOWN_FINDINGS = 40
_PURPOSES = {1: "Encrypt", 2: "data keys", 16: "data keys of secrets", 17: "secret values"}


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a hunt. `made` is by purpose, `changes` are those of the file of counts.

    `findings` should be empty.
    """

    seed: int
    workers: int
    seconds: float
    hits: Sequence[Strike]
    missed: int
    ivs: int
    versions: int
    made: Mapping[int, int]
    changes: int
    unused_blocks: int
    most_counted: int
    requests: int
    unanswered: int
    findings: Sequence[str]

    def fewest(self) -> int:
        """The strikes of the blow and moment that has the fewest of them."""
        cells = Counter(self.hits)
        return min(cells[Strike(blow, moment)] for blow, moments in MOMENTS.items() for moment in moments)

    def __str__(self) -> str:
        made = ", ".join(f"{_PURPOSES.get(one, f'purpose {one}')} {count}" for one, count in sorted(self.made.items()))
        return "\n".join(
            (
                self._histogram(),
                "",
                f"seed {self.seed}, workers {self.workers}: {len(self.hits)} blows in {self.seconds:.0f} s",
                f"moments that could not be met {self.missed}",
                f"requests {self.requests}, of them unanswered {self.unanswered}",
                f"IVs {self.ivs} under {self.versions} key versions: {made}",
                f"changes of the counts seen {self.changes}, highest count of a key version {self.most_counted}",
                f"blocks that were reserved and not used before the key store was struck {self.unused_blocks}",
                f"findings {len(self.findings)}",
                *(f"  {sentence}" for sentence in self.findings[:_SHOWN_FINDINGS]),
            )
        )

    def _histogram(self) -> str:
        cells = Counter(self.hits)
        rows = [["blows", *(moment.value for moment in Moment), "all"]]
        for blow in Blow:
            counts = [str(cells[Strike(blow, one)]) if one in MOMENTS[blow] else "-" for one in Moment]
            rows.append([blow.value, *counts, str(sum(cells[Strike(blow, one)] for one in Moment))])
        sums = [sum(cells[Strike(blow, one)] for blow in Blow) for one in Moment]
        rows.append(["all", *map(str, sums), str(sum(sums))])
        widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
        return "\n".join(
            "  ".join(
                cell.ljust(width) if at == 0 else cell.rjust(width)
                for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        )
