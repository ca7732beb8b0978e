"""Compares the pinned packages with requirements/floors.txt: `make check`, without a network."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

FOLDER = Path(__file__).resolve().parent.parent / "requirements"
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)


def pins(text: str) -> Iterator[tuple[str, Version]]:
    for name, version in PIN.findall(text):
        yield canonicalize_name(name), Version(version)


def floors(text: str) -> dict[str, Requirement]:
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    wanted = [Requirement(line) for line in lines if line]
    return {canonicalize_name(one.name): one for one in wanted}


def below(pinned: str, least: str) -> list[str]:
    """What is pinned below its floor, and floors of packages that are not there any more."""
    wanted, found = floors(least), list(pins(pinned))
    low = [
        f"{name} {version} is below {wanted[name]}"
        for name, version in found
        if name in wanted and not wanted[name].specifier.contains(version)
    ]
    gone = sorted(wanted.keys() - {name for name, _ in found})
    return low + [f"{name} is not pinned: take its floor away" for name in gone]


def main() -> int:
    pinned = "\n".join((FOLDER / name).read_text() for name in ("base.txt", "dev.txt"))
    wrong = below(pinned, (FOLDER / "floors.txt").read_text())
    print("\n".join(wrong) or "Every pinned package is at or above its floor.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
