"""A disk whose power can be cut: an ext4 file system in a file, and what that file holds after
each call that changes the disk.

What was not synced lies in memory only and is not in the file. The file system is mounted so that
it keeps as few promises as it can: it writes nothing by itself, and orders no file's content
before its name. A restless neighbour on the same disk, who syncs after each call, makes names
reach the disk long before what is in the files.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from worker.engine.extract import syscalls

_SIZE = 40 * 1024 * 1024
FORGETFUL = "loop,data=writeback,noauto_da_alloc,commit=300,nobarrier"
_PLAIN = (
    "loop,nobarrier"  # no barriers: this disk needs none, and the one below it is not waited for
)
_CALLS = frozenset(
    ("open", "write", "mkdir", "rmdir", "unlink", "remove", "rename", "replace", "link", "symlink",
     "chmod", "fchmod", "chown", "fchown", "utime", "ftruncate", "fsync", "fdatasync")
)  # fmt: skip
_OURS = frozenset((syscalls.rename.__code__, syscalls.sync_file_system.__code__))


@dataclass
class Disk:
    """`states` are copies of the `image`, each as the disk was when the power went."""

    image: Path
    top: Path
    states: list[Path] = field(default_factory=list)
    _seen: set[bytes] = field(default_factory=set)

    @contextmanager
    def recorded(self, *, restless: bool) -> Iterator[None]:
        """What the disk holds after each call inside the block is added to `states`."""

        def look(_frame: FrameType, event: str, arg: Any) -> None:
            if _changes_the_disk(_frame, event, arg):
                if restless:
                    self._neighbour_syncs()
                self.keep_state()

        def look_for_syncs(frame: FrameType, event: str, arg: Any) -> None:
            """In other threads: whoever waits for one does nothing meanwhile."""
            if frame.f_code is syscalls.sync_file_system.__code__:
                look(frame, event, arg)

        self.keep_state()
        sys.setprofile(look)
        threading.setprofile(look_for_syncs)
        try:
            yield
        finally:
            threading.setprofile(None)
            sys.setprofile(None)
        self.keep_state()

    def sync(self) -> None:
        """All that was written is on the disk."""
        descriptor = os.open(self.top, os.O_RDONLY)
        try:
            syscalls.sync_file_system(descriptor)
        finally:
            os.close(descriptor)

    def keep_state(self) -> Path:
        """The power is cut now; the state, which is one of `states` from here on."""
        copy = self.image.with_name(f"{self.image.name}-{len(self.states)}")
        digest = _copied(self.image, copy)
        if digest not in self._seen:
            self._seen.add(digest)
            self.states.append(copy)
        return copy

    def _neighbour_syncs(self) -> None:
        own = self.top / "lost+found"
        os.utime(own)
        _sync(own)


@contextmanager
def disk(top: Path, image: Path) -> Iterator[Disk]:
    """An empty disk, mounted at `top`."""
    with image.open("wb") as file:
        file.truncate(_SIZE)
    subprocess.run(["mkfs.ext4", "-q", "-N", "256", "-J", "size=4", str(image)], check=True)
    with mounted(image, top, FORGETFUL):
        yield Disk(image, top)


@contextmanager
def mounted(image: Path, top: Path, options: str = _PLAIN) -> Iterator[None]:
    """The power is back: the file system repairs itself from its journal while it is mounted."""
    top.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "ext4", "-o", options, str(image), str(top)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(top)], check=True)


def _changes_the_disk(frame: FrameType, event: str, arg: Any) -> bool:
    if event == "c_return":
        return getattr(arg, "__module__", "") == "posix" and arg.__name__ in _CALLS
    return event == "return" and frame.f_code in _OURS


def _copied(image: Path, copy: Path) -> bytes:
    """Copies what is not a hole; the digest of where that lies and what it is."""
    digest = hashlib.sha256()
    with image.open("rb") as source, copy.open("wb") as target:
        target.truncate(_SIZE)
        for start, end in _extents(source.fileno()):
            content = os.pread(source.fileno(), end - start, start)
            digest.update(b"%d %d " % (start, end) + content)
            os.pwrite(target.fileno(), content, start)
    return digest.digest()


def _extents(descriptor: int) -> Iterator[tuple[int, int]]:
    end = 0
    while end < _SIZE:
        try:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError:
            return
        end = os.lseek(descriptor, start, os.SEEK_HOLE)
        yield start, end


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
