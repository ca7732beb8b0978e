"""Reports progress now and then instead of for each of a million files."""

from __future__ import annotations

from worker.engine.progress import Progress

_FILES = 256
_BYTES = 4 * 1024 * 1024


class Pace:
    """Counts files and bytes; tells `progress`, and asks it whether to stop, once in a while."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.files = self.bytes = 0
        self._told_files = self._told_bytes = 0

    def file(self) -> None:
        """One more is done."""
        self.files += 1
        if self.files - self._told_files >= _FILES:
            self.flush()

    def content(self, size: int) -> None:
        """So many more bytes are done."""
        self.bytes += size
        if self.bytes - self._told_bytes >= _BYTES:
            self.flush()

    def flush(self) -> None:
        """Tell what was not told yet. Raises `JobStopped` when the run is to stop."""
        self._progress.advance(
            files=self.files - self._told_files, bytes=self.bytes - self._told_bytes
        )
        self._told_files, self._told_bytes = self.files, self.bytes
        self._progress.checkpoint()
