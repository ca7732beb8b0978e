"""What a soak has seen, and what became of the process that watched."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Size:
    """Of a process: KiB of memory, open descriptors, threads."""

    memory: int
    descriptors: int
    threads: int

    @classmethod
    def of(cls, pid: int | str = "self") -> Size:
        process = Path(f"/proc/{pid}")
        pages = int((process / "statm").read_text().split()[1])
        threads = len(os.listdir(process / "task"))
        return cls(pages * _PAGE // 1024, len(os.listdir(process / "fd")), threads)


def slope(values: list[int]) -> float:
    """How much is added with each step, by least squares over the later half: at first a process
    only fills its caches."""
    later = values[len(values) // 2 :]
    count = len(later)
    if count < 2:
        return 0.0
    middle, mean = (count - 1) / 2, sum(later) / count
    above = sum((n - middle) * (value - mean) for n, value in enumerate(later))
    return round(above / sum((n - middle) ** 2 for n in range(count)), 4)


@dataclass
class Told:
    """What happened. `broken`: invariants that did not hold, with the round."""

    rounds: int = 0
    kills: int = 0
    ended: int = 0  # runs that ended before the blow fell
    failed: int = 0  # runs that ended with an error of the storage, as was to be
    gone_on: int = 0  # backups that ended and found the journal of a dead one
    compared: int = 0
    points: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    seconds: float = 0.0
    sizes: list[Size] = field(default_factory=list)

    def look(self) -> None:
        """How large this process is by now."""
        self.sizes.append(Size.of())

    def as_dict(self) -> dict[str, Any]:
        grown = {
            "threads": slope([one.threads for one in self.sizes]),
            "descriptors": slope([one.descriptors for one in self.sizes]),
            "memory KiB": slope([one.memory for one in self.sizes]),
        }
        told = {name: value for name, value in vars(self).items() if name != "sizes"}
        last = vars(self.sizes[-1]) if self.sizes else {}
        return {**told, "points": dict(self.points), "grown each round": grown, "last": last}

    def __add__(self, other: Told) -> Told:
        """Of two soaks in one process."""
        both = {name: getattr(self, name) + getattr(other, name) for name in vars(self)}
        return Told(**{**both, "seconds": max(self.seconds, other.seconds)})
