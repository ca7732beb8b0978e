"""One launcher for one folder, and an end to what a killed one left running."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from launcher.errors import LaunchError
from launcher.private import read_state, write_state


@contextlib.contextmanager
def only_one(var: Path) -> Iterator[None]:
    """Hold the folder's lock; `LaunchError` while another launcher holds it.

    The system drops the lock with the process, however that ends.
    """
    with (var / "launcher.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise LaunchError(f"Tarkeep already runs from {var.parent}") from None
        yield


def remember(var: Path, pids: Iterable[int]) -> None:
    """Write down what runs, so that a later start can end it when we are killed."""
    write_state(var / "running.json", {str(pid): _started(pid) for pid in pids})


def end_leftovers(var: Path, *, limit: float = 20) -> list[int]:
    """End the processes an earlier, killed launcher left; gives back their ids.

    A process counts as ours when its id and its start time are both as written down.
    """
    left = [
        int(pid)
        for pid, started in read_state(var / "running.json").items()
        if started and _started(int(pid)) == started
    ]
    for pid in left:
        _signal(pid, signal.SIGTERM)
    deadline = time.monotonic() + limit
    while any(_started(pid) for pid in left) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in left:
        _signal(pid, signal.SIGKILL)
    return left


def _signal(pid: int, number: signal.Signals) -> None:
    """To the process; the last one, SIGKILL, to all of its session."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number) if number is signal.SIGKILL else os.kill(pid, number)


def _started(pid: int) -> str:
    """When the process started, in words or ticks; empty when it is gone or a zombie."""
    if not Path("/proc/self/stat").exists():
        return _started_by_ps(pid)
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _started_by_ps(pid: int) -> str:
    argv = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    shown = subprocess.run(argv, capture_output=True, text=True, check=False)
    state, _, started = shown.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else started.strip()
