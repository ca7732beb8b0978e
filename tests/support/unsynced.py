"""Watches a swap: is each step of its journal taken only once what it builds on is synced?"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from worker.engine.extract import syscalls
from worker.engine.swap import journal


@dataclass
class Unsynced:
    """Folders below `disk` in which something got another name since they were synced last.

    `early` are the steps of the journal, by their phase, that were taken while there was one.
    """

    disk: Path
    folders: dict[int, str] = field(default_factory=dict)
    early: list[tuple[str, list[str]]] = field(default_factory=list)
    steps: int = 0

    @contextmanager
    def watched(self) -> Iterator[None]:
        sys.setprofile(self._look)
        threading.setprofile(self._look)  # a sync is waited for in a thread of its own
        try:
            yield
        finally:
            threading.setprofile(None)
            sys.setprofile(None)

    def _look(self, frame: FrameType, event: str, _arg: Any) -> None:
        code, given = frame.f_code, frame.f_locals
        if event == "call" and code in (journal.write.__code__, journal.remove.__code__):
            self.steps += 1
            if self.folders:
                phase = given["note"].phase if "note" in given else "over"
                self.early.append((phase, sorted(self.folders.values())))
        elif event == "return" and code is journal.sync_folder.__code__:
            self.folders.pop(given["path"].stat().st_ino, None)
        elif event == "return" and code is syscalls.sync_file_system.__code__:
            self.folders.clear()
        elif event == "return" and code is syscalls.rename.__code__:
            self._changed(given["source"], given["target"])
        elif event == "return" and code is Path.rename.__code__:
            self._changed(os.fsencode(given["self"]), os.fsencode(given["target"]))
        elif event == "call" and code is Path.mkdir.__code__ and not given["self"].exists():
            self._changed(os.fsencode(given["self"]))

    def _changed(self, *paths: bytes) -> None:
        for path in paths:
            folder = os.path.realpath(os.path.dirname(path))
            if folder.startswith(os.fsencode(self.disk)):
                self.folders[os.stat(folder).st_ino] = os.fsdecode(folder)
