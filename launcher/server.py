"""One server process of our own: start it, wait until it answers, stop it, end it for certain.

It runs in its own session, so that a Ctrl-C in the terminal reaches the launcher alone, which
then stops everything in order.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TypeVar

from launcher.errors import LaunchError

_LOG_BYTES = 5 * 1024 * 1024
_TAIL_BYTES = 4096
_STARTING_BYTES = 64 * 1024
_TAIL_LINES = 12
# What the servers say when a port of theirs was free a moment ago and is not any more.
_PORT_LOST = re.compile(r"address already in use|port allocation failed", re.IGNORECASE)
_ATTEMPTS = 5
Started = TypeVar("Started")


class PortLost(LaunchError):
    """Somebody took a port of the server's between our choosing it and its listening there."""


def on_other_ports(start: Callable[[], Started]) -> Started:
    """What `start`, which chooses the ports, gives back; called again when one of them is lost."""
    for _ in range(_ATTEMPTS - 1):
        with contextlib.suppress(PortLost):
            return start()
    return start()


@dataclass(frozen=True)
class Command:
    """How to start a server. Secrets belong into files and `env`, never into `argv`.

    `litter` are files it may leave behind outside its own directory; we remove them.
    """

    name: str
    argv: list[str]
    directory: Path
    log: Path
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    litter: tuple[Path, ...] = ()


class ServerProcess:
    """A started server. Its output is added to `command.log`; a long log is set aside as `.1`."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.process = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        with _open_log(self.command.log) as log:
            self._log_start = log.seek(0, os.SEEK_END)
            return subprocess.Popen(
                self.command.argv,
                cwd=self.command.directory,
                env={**os.environ, **self.command.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def name(self) -> str:
        return self.command.name

    @property
    def pid(self) -> int:
        return self.process.pid

    def alive(self) -> bool:
        return self.process.poll() is None

    def restart(self) -> None:
        """Start it again with the same command, after it ended."""
        self.stop()
        self.process = self._spawn()

    def wait_ready(self, answers: Callable[[], bool], *, limit: float) -> None:
        """Return once `answers()` is true; `LaunchError` when it died or `limit` seconds passed,
        `PortLost` as soon as it says that somebody else has one of its ports.

        Whatever ends the waiting early, Ctrl-C too, ends the server as well.
        """
        try:
            self._wait(answers, limit)
        except BaseException:
            self.stop()
            raise

    def _wait(self, answers: Callable[[], bool], limit: float) -> None:
        deadline = time.monotonic() + limit
        while not answers():
            alive = self.alive()  # asked first: what it said before it died is all there then
            if lost := _PORT_LOST.search(self._said()):
                raise self._failure(f"lost a port while it started: {lost[0]}", PortLost)
            if not alive:
                raise self._failure(f"stopped with exit code {self.process.returncode}")
            if time.monotonic() > deadline:
                raise self._failure(f"did not answer within {limit:.0f} seconds")
            time.sleep(0.05)

    def terminate(self) -> None:
        """Ask it to end (SIGTERM); an ended one is left alone."""
        if self.alive():
            self.process.terminate()

    def kill(self) -> None:
        """End it and all that it started, at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for path in self.command.litter:
            path.unlink(missing_ok=True)

    def stop(self, *, limit: float = 20) -> None:
        """SIGTERM, and SIGKILL for the whole session after `limit` seconds. Safe to call twice."""
        self.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(limit)
        self.kill()

    def _said(self) -> str:
        """What it has written since it was started, the first 64 KiB of it."""
        with self.command.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read(_STARTING_BYTES).decode("utf-8", "replace")

    def _failure(self, what: str, kind: type[LaunchError] = LaunchError) -> LaunchError:
        return kind(f"{self.name} {what} (log: {self.command.log})", tail(self.command.log))


def _open_log(path: Path) -> BinaryIO:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > _LOG_BYTES:
        path.replace(path.with_name(path.name + ".1"))
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    return os.fdopen(descriptor, "ab")


def tail(log: Path) -> str:
    """The last lines of a log, for a person to read."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        text = file.read().decode("utf-8", "replace")
    return "\n".join(text.splitlines()[-_TAIL_LINES:])
