"""Run one command and measure it: wall time, CPU of all its processes, peak memory of the tree."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.errors import BenchError

_EVERY = 0.05  # seconds between looks at memory
_TAIL = 2000


@dataclass(frozen=True)
class Command:
    """`shell` is for bash with pipefail. Secrets go into `env`, never into `shell`.

    `output`: a file that takes the standard output, where that is the point of the command.
    """

    shell: str
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    folder: Path = Path("/")
    output: Path | None = None


@dataclass(frozen=True)
class Cost:
    """Seconds by the clock, seconds of CPU (user and system), peak bytes of memory if sampled.

    `server`: seconds of CPU that the S3 server took meanwhile, on the same cores. `downtime`:
    seconds of the run that instances were stopped for. `unwritten`: seconds that it took after the
    run until all was on the disk.
    """

    wall: float
    cpu: float
    peak: int = 0
    server: float = 0.0
    downtime: float = 0.0
    unwritten: float = 0.0


def run(command: Command, log: Path, *, sample: bool = False) -> Cost:
    """Run to the end. Raises `BenchError` with the end of the log when it fails.

    Sampling memory takes some CPU, so the times of a sampled run are no measurement.
    """
    with log.open("wb") as errors, (command.output or log.with_suffix(".out")).open("wb") as out:
        started = time.perf_counter()
        process = subprocess.Popen(
            ["bash", "-c", f"set -o pipefail; {command.shell}"],
            env={**os.environ, **command.env}, cwd=command.folder,
            stdin=subprocess.DEVNULL, stdout=out, stderr=errors,
        )  # fmt: skip
        sampler = Sampler(process.pid) if sample else None
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    peak = sampler.stop() if sampler else 0
    if process.returncode:
        raise BenchError(f"{command.shell}\nfailed:\n{log.read_text(errors='replace')[-_TAIL:]}")
    return Cost(wall, used.ru_utime + used.ru_stime, peak)


class Sampler:
    """Looks at the memory of a process and all below it until stopped."""

    def __init__(self, pid: int) -> None:
        self._pid, self._peak = pid, 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """The largest sum seen, in bytes."""
        self._over.set()
        self._thread.join()
        return self._peak

    def _watch(self) -> None:
        while not self._over.wait(_EVERY):
            self._peak = max(self._peak, tree_memory(self._pid))


def idle_memory(command: Command, seconds: float = 3) -> int:
    """Bytes that the command's processes take after some seconds; they are ended then."""
    with subprocess.Popen(
        ["bash", "-c", command.shell], env={**os.environ, **command.env}, cwd=command.folder
    ) as process:
        time.sleep(seconds)
        size = tree_memory(process.pid)
        if process.poll() is not None:
            raise BenchError(f"{command.shell}\nended with {process.returncode}")
        process.kill()
    return size


def tree_memory(pid: int) -> int:
    """Bytes of a process and its descendants: PSS, so what they share counts once."""
    return sum(_memory(one) for one in _tree(pid))


def _tree(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        found.extend(_children(one))
    return found


def _children(pid: int) -> list[int]:
    try:
        tasks = [task / "children" for task in Path(f"/proc/{pid}/task").iterdir()]
        return [int(child) for path in tasks for child in path.read_text().split()]
    except OSError:  # it has just ended
        return []


def _memory(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:  # it has just ended
        return 0
    return 0
