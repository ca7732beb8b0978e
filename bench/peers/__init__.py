"""The tools compared. Each turns a task into a command for the shell.

What is asked of all: everything encrypted, authenticated credentials, data folder in, bucket
out, and back.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.measure import Command
from bench.servers import Bucket

PASSPHRASE = "a passphrase for benchmarks, long enough for all"  # noqa: S105


@dataclass(frozen=True)
class Place:
    """Where a tool works: its bucket, and a folder of its own for caches and the like."""

    bucket: Bucket
    work: Path


class Tool(Protocol):
    name: str

    def missing(self) -> str:
        """The programs it needs and does not find, or an empty string."""
        ...

    def version(self) -> Command: ...

    def prepare(self, place: Place) -> Command | None:
        """What to do once before the first backup, not measured."""
        ...

    def idle(self, place: Place) -> Command | None:
        """Where the tool is a service: itself at rest, until ended."""
        ...

    def backup(self, place: Place, data: Path) -> Command: ...

    def restore(self, place: Place, target: Path) -> Command:
        """Everything into the folder `target`, which is there and empty."""
        ...

    def fetch(self, place: Place, path: str, target: Path) -> Command:
        """One file, by its path in the data folder, into the file `target`."""
        ...


def not_found(*programs: str) -> str:
    return ", ".join(program for program in programs if shutil.which(program) is None)
