"""Which files the dashboard loads first: its module and what that imports, found by reading them.

The page names them all in its head, so that the browser fetches them at once instead of one
after the other as it comes upon each import.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Final

STATIC: Final = Path(__file__).parent / "static"
FIRST: Final = PurePosixPath("backups_app/js/app.js")
SHEETS: Final = tuple(
    f"backups_app/css/{name}.css"
    for name in (
        "layout",
        "plans",
        "verdict",
        "now",
        "rows",
        "tables",
        "dialog",
        "files",
        "past",
        "setup",
    )
)
_IMPORT: Final = re.compile(r"""^(?:import|export)\b[^;]*?\bfrom "(\.[^"]+)";""", re.MULTILINE)


@cache
def first_load() -> tuple[str, ...]:
    """Static names of all modules but the first, in the order in which they are met."""
    found: dict[PurePosixPath, None] = {}
    _follow(FIRST, found)
    return tuple(str(module) for module in found if module != FIRST)


def _follow(module: PurePosixPath, found: dict[PurePosixPath, None]) -> None:
    if module in found:
        return
    found[module] = None
    for target in _IMPORT.findall((STATIC / module).read_text()):
        _follow(_joined(module.parent, target), found)


def _joined(folder: PurePosixPath, target: str) -> PurePosixPath:
    for part in PurePosixPath(target).parts:
        folder = folder.parent if part == ".." else folder / part
    return folder
