"""Keeps the parts of the service running, and ends them in the right order.

A part that dies is started again, after a pause that doubles up to half a minute: people who
have no operator want the web part to stay up while, say, the worker cannot start. Parts are
ended in the opposite of the order in which they need each other: first what brings new work
(web, beat), then the workers, the servers last.
"""

from __future__ import annotations

import contextlib
import queue
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from honcho.printer import Message, Printer

from launcher.child import Child
from launcher.errors import LaunchError
from launcher.server import ServerProcess

_LONGEST_PAUSE = 30.0
_HEALTHY_AFTER = 60.0
_TICK = 0.2


class Part(Protocol):
    """What can be watched: a server, or a child of the Procfile."""

    @property
    def name(self) -> str: ...
    @property
    def pid(self) -> int: ...
    def alive(self) -> bool: ...
    def restart(self) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


@dataclass
class Watched:
    """A part, and when it may be started again."""

    part: Part
    pause: float = 1.0
    started: float = 0.0
    due: float | None = None

    def died(self, now: float) -> float:
        """Plan the next start; gives back the pause in seconds."""
        if now - self.started > _HEALTHY_AFTER:
            self.pause = 1.0
        pause, self.pause = self.pause, min(self.pause * 2, _LONGEST_PAUSE)
        self.due = now + pause
        return pause

    def start_again(self, now: float) -> None:
        self.part.restart()
        self.started, self.due = now, None


class Supervisor:
    """Reads the children's events in one thread, the caller's; all methods belong to it."""

    def __init__(
        self,
        servers: Sequence[ServerProcess],
        children: Sequence[Child],
        events: queue.Queue[Message],
        printer: Printer,
    ) -> None:
        self.children = {child.name: child for child in children}
        parts: list[Part] = [*servers, *children]
        self.watched = [Watched(part) for part in parts]
        self._servers = list(servers)
        self._events = events
        self._printer = printer
        self._signals = 0
        self.on_change: Callable[[], None] = lambda: None

    def pids(self) -> list[int]:
        return [watched.part.pid for watched in self.watched if watched.part.pid]

    def start(self) -> None:
        for watched in self.watched:
            watched.started = time.monotonic()
        for child in self.children.values():
            child.start()

    def wait_ready(self, ready: dict[str, Callable[[Child], bool]], *, limit: float) -> None:
        """Until each child named in `ready` is; `LaunchError` names the one that is not."""
        deadline = time.monotonic() + limit
        while waiting := [name for name, test in ready.items() if not test(self.children[name])]:
            self._read_events()
            for child in self.children.values():
                if not child.alive():
                    raise _failure(child, f"stopped with exit code {child.exit_code}")
            if time.monotonic() > deadline:
                raise _failure(self.children[waiting[0]], f"not ready after {limit:.0f} seconds")

    def watch(self) -> None:
        """Keep everything running until SIGINT, SIGTERM or SIGHUP arrives."""
        self.catch_signals()
        while not self._signals:
            self._read_events()
            now = time.monotonic()
            for watched in self.watched:
                self._look_after(watched, now)

    def stop(self) -> None:
        """End everything in order; a further signal while waiting ends it the hard way."""
        self.catch_signals()
        seen = self._signals
        for names, limit in ((("web", "beat"), 15.0), (tuple(self.children), 60.0)):
            parts = [child for name, child in self.children.items() if name in names]
            self._end(parts, limit, lambda: self._signals > seen)
        self._end(self._servers, 20.0, lambda: self._signals > seen)

    def say(self, text: str) -> None:
        self._print(Message("line", text, datetime.now(), "tarkeep", None))  # noqa: DTZ005

    def _print(self, line: Message) -> None:
        # A terminal that was closed must not keep us from stopping everything in order.
        with contextlib.suppress(OSError):
            self._printer.write(line)

    def catch_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._count_signal)

    def _count_signal(self, *_: object) -> None:
        self._signals += 1

    def _look_after(self, watched: Watched, now: float) -> None:
        if watched.part.alive():
            return
        if watched.due is None:
            pause = watched.died(now)
            self.say(f"{watched.part.name} stopped; starting it again in {pause:.0f} s")
        elif now >= watched.due:
            watched.start_again(now)
            self.on_change()

    def _end(self, parts: Iterable[Part], limit: float, hurry: Callable[[], bool]) -> None:
        parts = list(parts)
        self._learn_pids()
        for part in parts:
            part.terminate()
        deadline = time.monotonic() + limit
        while any(part.alive() for part in parts):
            self._read_events()
            if hurry() or time.monotonic() > deadline:
                break
        for part in parts:
            part.kill()

    def _learn_pids(self) -> None:
        """A child started a moment ago has an id only once its first event is read."""
        while any(child.alive() and not child.pid for child in self.children.values()):
            self._read_events()

    def _read_events(self) -> None:
        """Print what the children said; waits a moment when they said nothing."""
        try:
            event = self._events.get(timeout=_TICK)
            while True:
                self._handle(event)
                event = self._events.get_nowait()
        except queue.Empty:
            return

    def _handle(self, event: Message) -> None:
        self.children[event.name].note(event)
        if event.type == "line":
            self._print(event)
        elif event.type == "start":
            self.on_change()


def _failure(child: Child, what: str) -> LaunchError:
    return LaunchError(f"{child.name}: {what}", child.last_lines())
