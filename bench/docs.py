"""Puts the latest table and plot into docs/."""

from __future__ import annotations

import re
from pathlib import Path

from bench.plot import plot
from bench.results import Results
from bench.table import table
from bench.targets import verdicts

_BETWEEN = r"(<!-- results: %s -->\n).*?(<!-- end of results -->)"


def write(results: Results, docs: Path, server: str) -> None:
    """Renew the part of benchmarks.md between the two marks for that server, and its plot."""
    (docs / "img").mkdir(exist_ok=True)
    (docs / "img" / f"benchmarks-{server}.svg").write_text(plot(results))
    page, marks = docs / "benchmarks.md", re.compile(_BETWEEN % server, re.DOTALL)
    text = _text(results, server)
    page.write_text(marks.sub(lambda found: found[1] + text + found[2], page.read_text()))


def _text(results: Results, server: str) -> str:
    """The plot comes with the results: the page names none that is not there."""
    image = f"![Wall times beside restic and the pipe](img/benchmarks-{server}.svg)"
    facts = "".join(f"- {name}: {value}\n" for name, value in results.facts.items())
    lines = "".join(f"- {line}\n" for line in verdicts(results))
    return f"\n{image}\n\n{table(results)}\n{facts}\n{lines}\n"
