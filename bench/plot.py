"""The wall times as horizontal bars in SVG, written by hand: no plotting library needed."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from bench.results import Results, Row

_WIDTH, _LEFT, _RIGHT = 760, 220, 70
_BAR, _GAP, _TITLE = 18, 6, 30
_OURS, _OTHERS = "#0b7a75", "#a9b4bb"
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1c2b33}.t{font-weight:600}"
    "@media(prefers-color-scheme:dark){text{fill:#dfe7ea}}"
)


def plot(results: Results) -> str:
    """An SVG image; scenarios below each other, each with a scale of its own."""
    body = list(_body(results))
    height = sum(_height(results, scenario) for scenario in _scenarios(results))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="Wall times, shorter is better"><style>{_STYLE}</style>'
    )
    return "\n".join([head, *body, "</svg>", ""])


def _scenarios(results: Results) -> list[str]:
    return [scenario for scenario in results.scenarios() if _measured(results, scenario)]


def _measured(results: Results, scenario: str) -> list[Row]:
    return [row for row in results.of(scenario) if row.costs]


def _height(results: Results, scenario: str) -> int:
    return _TITLE + len(_measured(results, scenario)) * (_BAR + _GAP)


def _body(results: Results) -> Iterator[str]:
    top = 0
    for scenario in _scenarios(results):
        title = escape(f"{scenario[0].upper()}{scenario[1:]}: seconds, shorter is better")
        yield f'<text class="t" x="0" y="{top + 20}">{title}</text>'
        rows = _measured(results, scenario)
        longest = max(row.wall for row in rows)
        for number, row in enumerate(rows):
            yield _bar(row, longest, top + _TITLE + number * (_BAR + _GAP))
        top += _height(results, scenario)


def _bar(row: Row, longest: float, top: int) -> str:
    width = (_WIDTH - _LEFT - _RIGHT) * row.wall / longest
    colour = _OURS if row.tool.startswith("Tarkeep") else _OTHERS
    middle = top + _BAR - 5
    return (
        f'<text x="{_LEFT - 8}" y="{middle}" text-anchor="end">{escape(row.tool)}</text>'
        f'<rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="{_BAR}" fill="{colour}"/>'
        f'<text x="{_LEFT + width + 6:.1f}" y="{middle}">{row.wall:.1f}</text>'
    )
