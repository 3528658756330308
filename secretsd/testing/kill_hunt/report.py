"""What a hunt did and found, as text."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from secretsd.testing.kill_hunt.plan import Kind, Victim
from secretsd.testing.kill_hunt.strikes import IN_FLIGHT, MISSED, Hit

BACK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a hunt. `missed` counts strikes that were given up; `findings` should be empty."""

    seed: int
    workers: int
    seconds: float
    hits: Sequence[Hit]
    missed: int
    requests: int
    unanswered: int
    unanswered_stored: int
    events: int
    findings: Sequence[str]

    @property
    def struck(self) -> list[Hit]:
        """The kills that hit an operation."""
        return [hit for hit in self.hits if hit.moment != MISSED]

    @property
    def longest_back_seconds(self) -> float:
        """The longest time from a kill to full service."""
        return max((hit.back_seconds for hit in self.hits), default=0.0)

    @property
    def back_in_time(self) -> bool:
        """Whether service was always back within the bar."""
        return self.longest_back_seconds <= BACK_SECONDS

    def fewest(self) -> int:
        """The kills of the kind of operation or of process that has the fewest of them."""
        kinds, victims = Counter(hit.kind for hit in self.struck), Counter(hit.victim for hit in self.struck)
        return min(*(kinds[kind] for kind in Kind), *(victims[victim] for victim in Victim))

    def __str__(self) -> str:
        lines = [self._histogram(), "", self._times(), ""]
        answered = self.requests - self.unanswered
        lines += [
            f"seed {self.seed}, workers {self.workers}: {len(self.struck)} kills in {self.seconds:.0f} s",
            f"kills in vain {len(self.hits) - len(self.struck)}, moments that could not be met {self.missed}",
            f"requests {self.requests}: {answered} answered, {self.unanswered} unanswered",
            f"unanswered changes that took effect {self.unanswered_stored}; events in the files {self.events}",
            f"findings {len(self.findings)}",
            *(f"  {sentence}" for sentence in self.findings[:50]),
        ]
        return "\n".join(lines)

    def _histogram(self) -> str:
        cells = Counter((hit.kind, hit.victim) for hit in self.struck)
        flight = Counter(hit.kind for hit in self.hits if hit.moment == IN_FLIGHT)
        heads = ["kills", *(victim.value for victim in Victim), "all", "in flight"]
        rows = [heads]
        for kind in Kind:
            counts = [cells[kind, victim] for victim in Victim]
            rows.append([kind.value, *map(str, counts), str(sum(counts)), str(flight[kind])])
        sums = [sum(cells[kind, victim] for kind in Kind) for victim in Victim]
        rows.append(["all", *map(str, sums), str(sum(sums)), str(sum(flight.values()))])
        widths = [max(len(row[at]) for row in rows) for at in range(len(heads))]
        return "\n".join(
            "  ".join(
                cell.ljust(width) if at == 0 else cell.rjust(width)
                for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        )

    def _times(self) -> str:
        lines = ["seconds from the kill to full service (read, durable write, rotator host): p50, p95, longest"]
        for name, chosen in (*((victim.value, [victim]) for victim in Victim), ("all", list(Victim))):
            times = sorted(hit.back_seconds for hit in self.hits if hit.victim in chosen)
            if times:
                shown = (times[len(times) // 2], times[min(len(times) - 1, len(times) * 95 // 100)], times[-1])
                lines.append(f"{name:<20}" + "".join(f"{value:8.3f}" for value in shown))
        return "\n".join(lines)
