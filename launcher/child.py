"""One line of the Procfile, running; honcho runs it and hands its output on line by line."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from honcho.printer import Message
from honcho.process import Process

_KEPT_LINES = 200
_SHOWN_LINES = 12


class Child:
    """A part of the service. Its output and its end arrive in `events`, for one reader."""

    def __init__(
        self,
        name: str,
        command: str,
        *,
        home: Path,
        env: Mapping[str, str],
        colour: str,
        events: queue.Queue[Message],
    ) -> None:
        self.name = name
        self.pid = 0
        self.exit_code: int | None = None
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._arguments = {"cmd": command, "cwd": str(home), "env": dict(env), "colour": colour}
        self._events = events
        self._thread = threading.Thread()

    def start(self) -> None:
        self.pid, self.exit_code = 0, None
        self._lines.clear()
        process = Process(name=self.name, **self._arguments)
        self._thread = threading.Thread(target=process.run, args=(self._events,), daemon=True)
        self._thread.start()

    def restart(self) -> None:
        self.start()

    def note(self, event: Message) -> None:
        """Learn from one of our own events."""
        if event.type == "start":
            self.pid = event.data["pid"]
        elif event.type == "stop":
            self.exit_code = event.data["returncode"]
        else:
            self._lines.append(event.data.decode("utf-8", "replace").rstrip())

    def said(self, pattern: re.Pattern[str]) -> bool:
        return any(pattern.search(line) for line in self._lines)

    def last_lines(self) -> str:
        """The end of its output, for a person to read."""
        return "\n".join(list(self._lines)[-_SHOWN_LINES:])

    def alive(self) -> bool:
        return self.exit_code is None and self._thread.is_alive()

    def terminate(self) -> None:
        """SIGTERM for the process alone: a Celery worker's own children must finish their work."""
        if self.alive() and self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End it and all that it started, at once."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
