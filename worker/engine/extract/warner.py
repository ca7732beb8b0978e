"""Warnings of one unpacking: counted, and what a million files share said only once."""

from __future__ import annotations

from threading import Lock

from worker.engine.extract.refusals import shown
from worker.engine.progress import Progress, SourceWarning

_KINDS_REMEMBERED = 100


class Warner:
    """Used from several threads: long files get their attributes in those that write them."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._lock = progress, Lock()
        self._said: set[tuple[str, str]] = set()
        self.count = 0

    def warn(self, code: str, path: bytes, message: str) -> None:
        """Warn about one member; `path` is relative to the data folder."""
        with self._lock:
            self.count += 1
        self._progress.warn(SourceWarning(code, shown(path), message))

    def once(self, code: str, path: bytes, message: str) -> None:
        """Warn of the first member of those with the same code and message."""
        with self._lock:
            known = len(self._said)
            if known < _KINDS_REMEMBERED:
                self._said.add((code, message))
            first = len(self._said) > known
        if first:
            self.warn(code, path, f"{message} (said once)")
