"""Warnings of one unpacking: counted, and what a million files share said only once."""

from __future__ import annotations

from worker.engine.extract.refusals import shown
from worker.engine.progress import Progress, SourceWarning

_KINDS_REMEMBERED = 100


class Warner:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._said: set[tuple[str, str]] = set()
        self.count = 0

    def warn(self, code: str, path: bytes, message: str) -> None:
        """Warn about one member; `path` is relative to the data folder."""
        self.count += 1
        self._progress.warn(SourceWarning(code, shown(path), message))

    def once(self, code: str, path: bytes, message: str) -> None:
        """Warn of the first member of those with the same code and message."""
        if (code, message) not in self._said and len(self._said) < _KINDS_REMEMBERED:
            self._said.add((code, message))
            self.warn(code, path, f"{message} (said once)")
