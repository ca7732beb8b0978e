"""The results as a table in Markdown, which reads well on a screen too."""

from __future__ import annotations

from bench.results import Results, Row
from bench.scenarios import RESTORE
from bench.sizes import MIB
from bench.targets import OURS

_HEAD = (
    "task", "tool", "wall s (range)", "to disk s", "down s", "CPU s", "server CPU s", "peak MiB",
    "sent MiB", "received MiB", "requests", "stored MiB", f"time of {OURS} by this",
)  # fmt: skip


def table(results: Results) -> str:
    """One line for each task and tool."""
    lines = [_HEAD, tuple("---" for _ in _HEAD)]
    lines += [_cells(results, row) for row in results.rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_joined(line, widths) for line in lines) + "\n"


def _joined(cells: tuple[str, ...], widths: list[int]) -> str:
    padded = (
        cell.ljust(width, "-" if cell == "---" else " ")
        for cell, width in zip(cells, widths, strict=True)
    )
    return "| " + " | ".join(padded) + " |"


def _cells(results: Results, row: Row) -> tuple[str, ...]:
    if row.skipped:
        return (row.scenario, row.tool, f"not installed: {row.skipped}", *[""] * (len(_HEAD) - 3))
    sizes = (row.peak, row.sent, row.received)
    return (
        row.scenario, row.tool, *_times(row),
        *(_mib(size) for size in sizes), str(row.requests), _mib(row.stored) if row.stored else "",
        _ratio(results, row),
    )  # fmt: skip


def _times(row: Row) -> tuple[str, str, str, str, str]:
    """Wall time with its range, what passed then until a restore was on the disk, downtime of
    instances (where some were stopped), the tool's CPU, the server's; nothing where it was not
    timed."""
    if not row.costs:
        return "not timed", "", "", "", ""
    walls = [cost.wall for cost in row.costs]
    spread = f" ({min(walls):.2f}-{max(walls):.2f})" if len(walls) > 1 else ""
    down = f"{row.seconds_down:.2f}" if row.seconds_down else ""
    disk = f"{row.unwritten:.2f}" if row.scenario == RESTORE else ""
    return f"{row.wall:.2f}{spread}", disk, down, f"{row.cpu:.2f}", f"{row.server:.2f}"


def _ratio(results: Results, row: Row) -> str:
    ours = results.find(row.scenario, OURS)
    return "" if ours is None or ours is row or not row.costs else f"{ours.ratio(row):.2f}"


def _mib(size: int) -> str:
    return f"{size / MIB:.0f}" if size >= 10 * MIB else f"{size / MIB:.2g}"
