"""Run a command of the user's: an argument list, never a shell, with an end in sight.

The command gets a small environment without anything of Tarkeep's, since the worker's own is
full of secrets. Its output goes line by line to the caller, so much and no more; the rest is
read and dropped, for a full pipe would hang the command.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

MAX_LINES: Final = 1000
MAX_LINE: Final = 1000
GRACE: Final = 5.0
LOOK_EVERY: Final = 0.05
UMASK: Final = 0o022  # the user's commands make files as from a shell, however private ours are
KEPT: Final = (
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR",
    "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS",
)  # fmt: skip

Line = Callable[[str], None]


class NotRun(Exception):
    """The command could not be started or did not end in time; the text says which."""


def run(
    argv: Sequence[str],
    *,
    timeout: float,
    on_line: Line | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    pulse: Callable[[], None] = lambda: None,
) -> int:
    """Run `argv` for at most `timeout` seconds and return its exit code, -N for signal N.

    `folder` is where it runs. `pulse` is called again and again meanwhile; what it raises ends
    the command and is passed on.

    Without `on_line` its output goes nowhere: what it leaves running then has no pipe of ours
    that could break under it. Raises `NotRun`; a command out of time is ended with all that it
    started.
    """
    process = _start(argv, on_line, environment or {}, folder)
    try:
        with process:
            _follow(process, time.monotonic() + timeout, on_line, pulse)
            return process.returncode
    except NotRun as late:
        raise NotRun(f"it did not end within {timeout:g} seconds") from late


def plain_environment() -> dict[str, str]:
    """What a command needs to run at all, and nothing else."""
    return {name: os.environ[name] for name in KEPT if name in os.environ}


def _start(
    argv: Sequence[str],
    on_line: Line | None,
    environment: Mapping[str, str],
    folder: Path | None,
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if on_line else subprocess.DEVNULL,
            stderr=subprocess.STDOUT if on_line else subprocess.DEVNULL,
            cwd=folder,
            env={**plain_environment(), **environment},
            start_new_session=True,
            umask=UMASK,
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no command"
        raise NotRun(f"it could not be started: {reason}") from error


def _follow(
    process: subprocess.Popen[bytes],
    deadline: float,
    on_line: Line | None,
    pulse: Callable[[], None],
) -> None:
    """Wait for the process itself: what it left behind may hold the pipe open for ever."""
    lines = _Lines(process, on_line) if on_line else None
    try:
        while process.poll() is None:
            pulse()
            left = deadline - time.monotonic()
            if left <= 0:
                raise NotRun
            if not lines or not lines.read(min(left, LOOK_EVERY)):
                _wait(process, min(left, LOOK_EVERY))
        while lines and lines.read(0):
            pass
    except BaseException:
        _end(process)
        raise
    finally:
        if lines:
            lines.close()


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def _end(process: subprocess.Popen[bytes]) -> None:
    """The whole process group, politely and then for good.

    It is reaped last: until then its number cannot belong to anybody else.
    """
    if process.returncode is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline and not _has_ended(process.pid):
        time.sleep(LOOK_EVERY)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


class _Lines:
    """Cuts what comes through the pipe into lines."""

    def __init__(self, process: subprocess.Popen[bytes], on_line: Line) -> None:
        assert process.stdout is not None
        self.pipe = process.stdout
        self.on_line = on_line
        self.count = 0
        self.rest = b""
        self.ready = selectors.DefaultSelector()
        self.ready.register(self.pipe, selectors.EVENT_READ)

    def read(self, wait: float) -> bool:
        """Take what is there, waiting so long for it. False: nothing came, or it has ended."""
        if not self.ready.select(wait):
            return False
        chunk = os.read(self.pipe.fileno(), 65536)
        *whole, self.rest = (self.rest + chunk).split(b"\n")
        for line in whole:
            self._tell(line)
        self.rest = self.rest[: MAX_LINE * 4]
        return bool(chunk)

    def close(self) -> None:
        if self.rest:
            self._tell(self.rest)
        self.ready.close()

    def _tell(self, line: bytes) -> None:
        self.count += 1
        if self.count <= MAX_LINES:
            self.on_line(line.decode(errors="replace").rstrip()[:MAX_LINE])
        elif self.count == MAX_LINES + 1:
            self.on_line(f"... and more than these {MAX_LINES} lines")
