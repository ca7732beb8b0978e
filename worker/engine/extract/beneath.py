"""Folders below one root, opened so that nothing on the way leads outside.

Where the kernel has openat2 it does the checking; elsewhere (before Linux 5.6, or a container
whose seccomp profile forbids it) the path is walked part by part without following links.
"""

from __future__ import annotations

import contextlib
import errno
import os

from worker.engine.extract.syscalls import open_folder_inside

_STEP = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PRIVATE = 0o700
_KEPT_OPEN = 64
_LONGEST = 3500  # bytes of a path per call; the kernel refuses 4096


class Beneath:
    """The folders below the descriptor `root`, the latest ones kept open.

    Paths are relative, already checked to hold no `..` and no empty part. A descriptor given
    out is good until `folder` is called again and closed by us.
    """

    def __init__(self, root: int, *, use_openat2: bool | None = None) -> None:
        self._root = root
        self._open: dict[bytes, int] = {}
        usable = has_openat2(root) if use_openat2 is None else use_openat2
        self._opener = open_folder_inside if usable else _walk

    def folder(self, path: bytes) -> int:
        """A descriptor of the folder; it and its parents are made (0700) where missing."""
        if not path:
            return self._root
        found = self._open.get(path)
        return self._remember(path, self._make(path)) if found is None else found

    def existing(self, path: bytes) -> int:
        """A descriptor of a folder that must be there; `OSError` else."""
        if not path:
            return self._root
        found = self._open.get(path)
        return self._remember(path, self._find(path)) if found is None else found

    def close(self) -> None:
        """Close what is kept open; `root` stays open, it is the caller's."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def _remember(self, path: bytes, descriptor: int) -> int:
        if len(self._open) >= _KEPT_OPEN:
            oldest = next(iter(self._open))
            os.close(self._open.pop(oldest))
        self._open[path] = descriptor
        return descriptor

    def _make(self, path: bytes) -> int:
        """From the deepest folder that is there downwards; a loop, for paths may be deep."""
        try:
            return self._find(path)
        except FileNotFoundError:
            missing, outer = _split(path)
        while True:
            try:
                parent = self.existing(outer)
                break
            except FileNotFoundError:
                name, outer = _split(outer)
                missing = name + b"/" + missing
        return self._make_below(parent, outer, missing)

    def _make_below(self, parent: int, outer: bytes, missing: bytes) -> int:
        *above, last = missing.split(b"/")
        for name in above:
            outer = outer + b"/" + name if outer else name
            parent = self._remember(outer, _make_one(parent, name))
        return _make_one(parent, last)

    def _find(self, path: bytes) -> int:
        if len(path) <= _LONGEST:
            return self._opener(self._root, path)
        return _walk(self._root, path)


def _split(path: bytes) -> tuple[bytes, bytes]:
    """The last name, and what is above it."""
    outer, _, name = path.rpartition(b"/")
    return name, outer


def _make_one(parent: int, name: bytes) -> int:
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, _PRIVATE, dir_fd=parent)
    return os.open(name, _STEP, dir_fd=parent)


def has_openat2(folder: int) -> bool:
    """Whether the kernel, and what guards it, let us call openat2."""
    try:
        os.close(open_folder_inside(folder, b"."))
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EPERM, errno.EINVAL):
            return False
        raise
    return True


def _walk(root: int, path: bytes) -> int:
    """openat2's answer in steps: each part must be a folder, never a link."""
    folder = os.open(b".", _STEP, dir_fd=root)
    for part in path.split(b"/"):
        try:
            inner = os.open(part, _STEP, dir_fd=folder)
        finally:
            os.close(folder)
        folder = inner
    return folder
