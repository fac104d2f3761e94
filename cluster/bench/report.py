"""The page that the figures are put on."""
import platform
import statistics
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Row:
    """One comparison: what was measured in each round, of Shoal and of what it is held against."""
    what: str
    shoal: list
    against: str
    other: list
    target: float | None = None
    unit: str = "tokens/s"

    def text(self):
        ratios = [a / b for a, b in zip(self.shoal, self.other)]
        target = f"{self.target:.2f}" if self.target else ""
        return (f"| {self.what} | {spread(self.shoal)} | {self.against} | {spread(self.other)} | "
                f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f}-{max(ratios):.2f}) | {target} |")


@dataclass
class Section:
    title: str
    explanation: str
    rows: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    rounds: int | None = None

    def text(self):
        rounds = f" {self.rounds} rounds." if self.rounds else ""
        lines = [f"## {self.title}", "", self.explanation + rounds, ""]
        if self.rows:
            lines += ["| what | Shoal, tokens/s | against | tokens/s | ratio | target |", "|---|---|---|---|---|---|"]
            lines += [row.text() for row in self.rows] + [""]
        for note in self.notes:
            lines += [f"- {note}"]
        return "\n".join(lines).rstrip() + "\n"


def spread(values, digits=None):
    """The median, with the least and the most."""
    if digits is None:
        digits = 0 if statistics.median(values) >= 1000 else 1
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def machine():
    model, cores = "unknown processor", 0
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model, cores = line.split(":", 1)[1].strip(), cores + 1
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    return f"{model}, {cores} cores, {memory:.0f} GiB, Linux {platform.release().split('-')[0]}"


def write(path, sections, version, revision, rounds):
    head = f"""# Benchmarks

Written by `cluster/bench/run.py`; how it measures stands in [its README](../cluster/bench/README.md).

Machine: {machine()}. Shoal {revision}, {version}. Figures are medians of {rounds} rounds unless said otherwise, with the least and the most in
brackets; in a round everything of a row runs once, one after the other, and ratios are those of the same round. The machine
is shared: single figures move by 20 % and more, ratios less.
"""
    path.write_text(head + "\n" + "\n".join(section.text() for section in sections))
