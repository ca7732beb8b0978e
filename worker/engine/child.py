"""A process of our own that works beside this one: its start, its end, and what it may know.

It is told what to do by a line of JSON on its standard input, and knows no secret but what stands
there. It ends with whoever began it, and with nothing else: who presses Ctrl-C, and a service
manager that ends all processes at once, mean the whole run.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

_ROOT = Path(__file__).resolve().parents[2]
_KILLED_WITHIN = 5  # seconds
_PR_SET_PDEATHSIG = 1  # prctl(2)

Process = subprocess.Popen[bytes]
T = TypeVar("T")


def worth_it() -> bool:
    """Whether a second process has a processor to run on."""
    return len(os.sched_getaffinity(0)) > 1


def start(module: str, task: dict[str, Any], descriptors: Sequence[int]) -> Process:
    """Run the module in a session of its own. Raises `OSError` where it cannot be started."""
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=_ROOT,
        env=_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=descriptors,
        start_new_session=True,
    )
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(task).encode() + b"\n")
        process.stdin.flush()
    except OSError:
        end(process)
        raise
    return process


def share(size: int, view: Callable[[int], T]) -> T:
    """What `view` makes of the descriptor of `size` bytes of memory without a name, to be shared
    with a child; it is gone when both have ended. Raises `OSError`."""
    descriptor = os.memfd_create("tarkeep", os.MFD_CLOEXEC)
    try:
        os.ftruncate(descriptor, size)
        return view(descriptor)
    except OSError:  # a limit of this process, on files or on memory
        os.close(descriptor)
        raise


def end(process: Process) -> None:
    """Kill it, if it still runs."""
    process.kill()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):  # it would be sent what is left, and may be gone
            pipe.close()  # type: ignore[union-attr]
    with contextlib.suppress(subprocess.TimeoutExpired):  # a disk may hold on to it for ever
        process.wait(_KILLED_WITHIN)


def cause(process: Process) -> tuple[str, str]:
    """Of one that has just ended: by what, and what that may mean."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_KILLED_WITHIN)
    code = process.returncode
    if code is None:
        return "it does not answer", "The log holds what it said."
    if code < 0:
        return f"signal {-code}", "The machine may be short of memory."
    return f"exit code {code}", "The log holds what it said."


def _environment() -> dict[str, str]:
    """What Python itself needs, and no secret."""
    wanted = ("PATH", "LD_LIBRARY_PATH", "TZ")
    given = os.environ.items()
    return {name: value for name, value in given if name in wanted or name.startswith("PYTHON")}


def end_with(parent: int) -> None:
    """In the child: not to outlive its parent, which may be killed, and alone says when to end."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("whoever began it has gone")
