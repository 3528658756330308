"""What a hunt did and found, as text."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from secretsd.testing.rotation_hunt.plan import ALTERNATING, STATES, UNREACHABLE, Blow, Strike
from secretsd.testing.rotation_hunt.points import ALTERNATING_ONLY, POINTS
from secretsd.testing.rotation_hunt.striker import Hit

SHOWN_FINDINGS = 40


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a hunt. `applications` says, by machine: logins, re-reads, refused twice, longest gap in seconds.

    `notes` counts what was noticed and may be; `findings` should be empty.
    """

    seed: int
    workers: int
    seconds: float
    hits: Sequence[Hit]
    missed: Sequence[Strike]
    requests: int
    unanswered: int
    events: int
    applications: Mapping[str, tuple[int, int, int, float]]
    notes: Mapping[str, int]
    findings: Sequence[str]
    log: str

    def __str__(self) -> str:
        lines = [f"seed {self.seed}, workers {self.workers}: {len(self.hits)} faults in {self.seconds:.0f} s"]
        lines += [f"not met: {one}" for one in self.missed]
        for name, (logins, reread, failed, gap) in self.applications.items():
            lines.append(f"{name}: {logins} logins, {reread} re-reads, {failed} refused twice, longest gap {gap:.2f} s")
        lines.append(f"requests {self.requests}, unanswered {self.unanswered}; events seen {self.events}")
        lines += [f"{count} {what}" for what, count in sorted(self.notes.items())]
        results = Counter(hit.result for hit in self.hits)
        lines.append("rotations ended: " + ", ".join(f"{name} {count}" for name, count in results.most_common()))
        lines += [times(self.hits), f"findings {len(self.findings)}"]
        lines += [f"  {sentence}" for sentence in self.findings[:SHOWN_FINDINGS]]
        lines += ["end of the daemon's log:", self.log] * bool(self.log)
        return "\n".join(lines)


def state_counts(hits: Iterable[Hit]) -> Counter[tuple[str, str, Blow]]:
    """How often each blow met each stored state of each machine."""
    return Counter((machine, state, hit.strike.blow) for hit in hits for machine, state in hit.states)


def point_counts(hits: Iterable[Hit]) -> Counter[tuple[str, str, Blow]]:
    """How often each blow met each message."""
    return Counter((*hit.passage.point, hit.strike.blow) for hit in hits if hit.passage is not None)


def rarest(counts: Counter[tuple[str, str, Blow]], wanted: Iterable[tuple[str, str]]) -> tuple[int, str]:
    """The count of the row that was hit least, and its name."""
    sums: Counter[tuple[str, str]] = Counter()
    for (first, second, _), count in counts.items():
        sums[first, second] += count
    count, name = min((sums[one], " ".join(one)) for one in wanted)
    return count, name


ALL_STATES = [(machine, state) for machine, states in STATES.items() for state in states]
ALL_POINTS = [(method, message) for method, messages in POINTS.items() for message in messages]


def histogram(hits: Sequence[Hit]) -> str:
    """State by kind and statement by kind, and what cannot be reached."""
    told = [
        _table("stored state", state_counts(hits), ALL_STATES),
        "",
        _table("before this message", point_counts(hits), ALL_POINTS),
        "",
        *(f"not reachable: {name}: {why}" for name, why in UNREACHABLE.items()),
        "sent by one kind of rotation only: "
        + ", ".join(f"{method}/{message}" for method, message in sorted(ALTERNATING_ONLY)) + f" ({ALTERNATING});"
        " prepare/admin-option (administrators that are no superusers)",
    ]  # fmt: skip
    return "\n".join(told)


def times(hits: Sequence[Hit]) -> str:
    """How long until the served credential worked, and until the rotation had ended, by blow."""
    lines = ["seconds: served p50, longest; end p50, longest"]
    for blow in Blow:
        served = sorted(hit.served_seconds for hit in hits if hit.strike.blow is blow)
        ended = sorted(hit.end_seconds for hit in hits if hit.strike.blow is blow)
        if served:
            middle = len(served) // 2
            lines.append(f"{blow.value:<18}{served[middle]:8.2f}{served[-1]:8.2f}{ended[middle]:10.2f}{ended[-1]:8.2f}")
    return "\n".join(lines)


def _table(title: str, counts: Counter[tuple[str, str, Blow]], rows: Sequence[tuple[str, str]]) -> str:
    heads = [title, *(blow.value for blow in Blow), "all"]
    table = [heads]
    for first, second in rows:
        cells = [counts[first, second, blow] for blow in Blow]
        table.append([f"{first} {second}", *map(str, cells), str(sum(cells))])
    widths = [max(len(row[at]) for row in table) for at in range(len(heads))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in table
    )
