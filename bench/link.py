"""A line of a given speed: a network namespace for the tool, and token buckets both ways.

Needs root, and `ip` and `tc` (Debian's iproute2).
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from shlex import quote

from bench.errors import BenchError
from bench.measure import Command

_NET = "198.18.{}."  # of the range for benchmarks, RFC 2544


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
    number = _new_space()
    space, near = _space(number), f"tkbench{number}"
    here, there = (f"{_NET.format(number)}{end}" for end in (1, 2))
    bucket = f"root tbf rate {mbit}mbit burst 256kb latency 50ms"
    try:
        _run(f"ip link add {near} type veth peer name far netns {space}")
        _run(f"ip addr add {here}/30 dev {near}")
        _run(f"ip link set {near} up")
        _run(f"tc qdisc add dev {near} {bucket}")
        for inside in (
            f"ip addr add {there}/30 dev far",
            "ip link set far up",
            "ip link set lo up",
            f"tc qdisc add dev far {bucket}",
        ):
            _run(f"ip netns exec {space} {inside}")
        yield Link(here, space)
    finally:
        _run(f"ip netns delete {space}")  # the pair goes with it


def _new_space() -> int:
    """The number of a namespace just made: none has its name, and nothing here its addresses.

    What was killed may have left one behind, and another run may be under way.
    """
    taken = subprocess.run(["ip", "addr"], check=True, capture_output=True, text=True).stdout
    for number in range(256):
        if f" {_NET.format(number)}" not in taken and _made(_space(number)):
            return number
    raise BenchError("No network is left; `ip netns list` shows which: `ip netns delete NAME`.")


def _made(space: str) -> bool:
    done = subprocess.run(["ip", "netns", "add", space], stderr=subprocess.PIPE, text=True)
    if done.returncode and "File exists" not in done.stderr:
        raise BenchError(f"No line can be made: {done.stderr.strip()}")
    return not done.returncode


def _space(number: int) -> str:
    return f"tarkeep-bench-{number}"


def _run(command: str) -> None:
    subprocess.run(command.split(), check=True)
