"""A line of a given speed: a network namespace for the tool, and token buckets both ways.

Needs root, and `ip` and `tc` (Debian's iproute2).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from shlex import quote

from bench.measure import Command

HERE, THERE = "198.18.0.1", "198.18.0.2"  # of the range for benchmarks, RFC 2544


@dataclass(frozen=True)
class Link:
    """`host`: where the server is to be reached. Without a `space` there is no line in between."""

    host: str = "127.0.0.1"
    space: str = ""

    def across(self, command: Command) -> Command:
        """The command, run at the other end."""
        if not self.space:
            return command
        shell = f"exec ip netns exec {self.space} bash -c {quote(command.shell)}"
        return replace(command, shell=shell)


@contextmanager
def link(mbit: int) -> Iterator[Link]:
    """A line of so many Mbit/s each way; 0 for none in between."""
    if not mbit:
        yield Link()
        return
    space = f"tarkeep-bench-{os.getpid()}"
    near, far = f"tkb{os.getpid()}a", f"tkb{os.getpid()}b"
    bucket = f"root tbf rate {mbit}mbit burst 256kb latency 50ms"
    _run(f"ip netns add {space}")
    try:
        _run(f"ip link add {near} type veth peer name {far} netns {space}")
        _run(f"ip addr add {HERE}/30 dev {near}")
        _run(f"ip link set {near} up")
        _run(f"tc qdisc add dev {near} {bucket}")
        for inside in (
            f"ip addr add {THERE}/30 dev {far}",
            f"ip link set {far} up",
            "ip link set lo up",
            f"tc qdisc add dev {far} {bucket}",
        ):
            _run(f"ip netns exec {space} {inside}")
        yield Link(HERE, space)
    finally:
        _run(f"ip netns delete {space}")  # the pair goes with it


def _run(command: str) -> None:
    subprocess.run(command.split(), check=True)
