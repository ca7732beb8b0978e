"""Processes that this one began, and what it holds open."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

HINDRANCES = ["no memory", "too little memory", "no python", "python that fails"]
_WITHIN = 30  # seconds; what is waited for takes a fraction of one


def children(module: str) -> list[int]:
    """Those that run the module."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
            if entry.name.isdigit() and module.encode() in (entry / "cmdline").read_bytes():
                found += [int(entry.name)] if int(stat[1]) == os.getpid() else []
        except OSError:
            continue
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def soon(what: Callable[[], object]) -> bool:
    """Whether it comes true within a while."""
    until = time.monotonic() + _WITHIN
    while not (found := what()) and time.monotonic() < until:
        time.sleep(0.01)
    return bool(found)


def open_files() -> int:
    """How many, but for the log's, which is opened for its first line."""
    found = 0
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            found += not os.readlink(f"/proc/self/fd/{name}").endswith(".log")
    return found


def hinder(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on none of ours comes up, for one of the `HINDRANCES`."""
    if how == "no memory":  # as a container's filter of system calls may say

        def refused(*_: object) -> int:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(os, "memfd_create", refused)
    elif how == "too little memory":  # as a limit on the size of files says, ulimit -f

        def too_large(*_: object) -> None:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))

        monkeypatch.setattr(os, "ftruncate", too_large)
    else:
        python = {"no python": "/nowhere/python", "python that fails": "/bin/false"}[how]
        monkeypatch.setattr(sys, "executable", python)
