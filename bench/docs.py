"""Puts the latest table and plot into docs/."""

from __future__ import annotations

import re
from pathlib import Path

from bench.plot import plot
from bench.results import Results
from bench.table import table
from bench.targets import verdicts

_BETWEEN = re.compile(r"(<!-- results -->\n).*(<!-- end of results -->)", re.DOTALL)


def write(results: Results, docs: Path) -> None:
    """Renew the part of benchmarks.md between its two marks, and the plot."""
    (docs / "img").mkdir(exist_ok=True)
    (docs / "img" / "benchmarks.svg").write_text(plot(results))
    page = docs / "benchmarks.md"
    page.write_text(
        _BETWEEN.sub(lambda found: found[1] + _text(results) + found[2], page.read_text())
    )


def _text(results: Results) -> str:
    facts = "".join(f"- {name}: {value}\n" for name, value in results.facts.items())
    lines = "".join(f"- {line}\n" for line in verdicts(results))
    return f"\n{table(results)}\n{facts}\n{lines}\n"
