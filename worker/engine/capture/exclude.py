"""What the user does not want in a backup: patterns as in a `.gitignore` at the data folder.

A folder that matches is not entered, so, as with git, nothing below it can be taken back in.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from pathspec import GitIgnoreSpec


class Excludes:
    """Says of a path below the data folder whether it stays out; counts what did.

    `some`: there are patterns at all.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self.some = bool(patterns)
        self._spec = GitIgnoreSpec.from_lines(patterns) if patterns else None
        self.count = 0

    def __call__(self, path: bytes, *, folder: bool) -> bool:
        if self._spec is None:
            return False
        name = os.fsdecode(path) + ("/" if folder else "")
        if not self._spec.match_file(name):
            return False
        self.count += 1
        return True
