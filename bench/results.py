"""What was measured, and the figures drawn from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import Any

from bench.measure import Cost


@dataclass
class Row:
    """One tool in one scenario. Sizes in bytes; `costs` are the timed runs, in rounds' order.

    `peak` is beyond `idle`, the memory of the tool at rest (0 for what is no service).
    """

    scenario: str
    tool: str
    costs: list[Cost] = field(default_factory=list)
    peak: int = 0
    idle: int = 0
    sent: int = 0
    received: int = 0
    requests: int = 0
    stored: int = 0
    skipped: str = ""

    @property
    def wall(self) -> float:
        return median(cost.wall for cost in self.costs)

    @property
    def cpu(self) -> float:
        return median(cost.cpu for cost in self.costs)

    @property
    def server(self) -> float:
        return median(cost.server for cost in self.costs)

    @property
    def downtime(self) -> float:
        """Of the wall time, the part that instances were stopped for; 0 when none was."""
        return median(cost.downtime / cost.wall for cost in self.costs)

    @property
    def seconds_down(self) -> float:
        return median(cost.downtime for cost in self.costs)

    @property
    def unwritten(self) -> float:
        """Seconds after the run until all was on the disk."""
        return median(cost.unwritten for cost in self.costs)

    def ratio(self, other: Row) -> float:
        """Our wall time to the other's: the median over pairs of runs of the same round."""
        pairs = zip(self.costs, other.costs, strict=True)
        return median(ours.wall / theirs.wall for ours, theirs in pairs)

    def as_dict(self) -> dict[str, Any]:
        facts = {name: value for name, value in vars(self).items() if name != "costs"}
        facts["runs"] = [
            {"wall": cost.wall, "cpu": cost.cpu, "server": cost.server, "downtime": cost.downtime,
             "unwritten": cost.unwritten}
            for cost in self.costs
        ]  # fmt: skip
        return facts


@dataclass
class Results:
    facts: dict[str, str]
    rows: list[Row] = field(default_factory=list)

    def scenarios(self) -> list[str]:
        return list(dict.fromkeys(row.scenario for row in self.rows))

    def of(self, scenario: str) -> list[Row]:
        return [row for row in self.rows if row.scenario == scenario]

    def find(self, scenario: str, tool: str) -> Row | None:
        """The row, if it was measured."""
        rows = (row for row in self.of(scenario) if row.tool == tool and not row.skipped)
        return next(rows, None)

    def as_dict(self) -> dict[str, Any]:
        return {"facts": self.facts, "rows": [row.as_dict() for row in self.rows]}
