"""A bounded folder of unpacked indexes, so that browsing asks the bucket for each only once.

An entry appears whole or not at all, and is for our eyes only (0600 in 0700): it holds the
names of the user's files. What was put in had been checked, so it is not checked again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_SUFFIX = ".sqlite3"
_PART = ".part"
_ABANDONED = 24 * 3600  # seconds after which a part belongs to nobody any more


@dataclass(frozen=True)
class IndexCache:
    """`entries` and `size` (bytes) bound what is kept; the newest entry always is."""

    folder: Path
    entries: int = 50
    size: int = 4 * 1024 * 1024 * 1024

    def find(self, name: str) -> Path | None:
        """The entry `name`, which becomes the most recently used one."""
        path = self._path(name)
        with contextlib.suppress(FileNotFoundError):
            os.utime(path)
            return path
        return None

    @contextmanager
    def adding(self, name: str) -> Iterator[Path]:
        """Yields an empty file to fill; it becomes the entry when the block ends well."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, part = tempfile.mkstemp(suffix=_PART, dir=self.folder)  # 0600
        os.close(descriptor)
        try:
            yield Path(part)
            Path(part).replace(self._path(name))
        finally:
            Path(part).unlink(missing_ok=True)
        self._evict(self._path(name))

    def drop(self, name: str) -> None:
        """Forget an entry that turned out to be unreadable."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / (hashlib.sha256(name.encode()).hexdigest()[:32] + _SUFFIX)

    def _evict(self, newest: Path) -> None:
        """Remove the least recently used beyond the bounds. Whoever reads one goes on."""
        files = sorted(self._files(), key=lambda entry: entry[1].st_mtime, reverse=True)
        kept = held = 0
        for path, info in files:
            if path.suffix == _SUFFIX:
                kept, held = kept + 1, held + info.st_size
                beyond = path != newest and (kept > self.entries or held > self.size)
            else:
                beyond = info.st_mtime < time.time() - _ABANDONED
            if beyond:
                path.unlink(missing_ok=True)

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        for path in self.folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                yield path, path.stat()
