"""Walk the data folder once, in a fixed order, into the index's work list.

Every directory is opened beneath the root without following links, so nothing that happens
meanwhile leads the walk outside. One directory's names are in memory at a time.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from worker.engine.archive.index import DIRECTORY, FILE, ROOT, SYMLINK, FileRow, Index
from worker.engine.capture.exclude import Excludes
from worker.engine.errors import SourceError
from worker.engine.progress import Progress, SourceWarning

OWN_PREFIX = b".tarkeep-"  # staging folders and journals of ours are never part of a backup
_BATCH = 1000
_KINDS = {stat.S_IFREG: FILE, stat.S_IFDIR: DIRECTORY, stat.S_IFLNK: SYMLINK}
_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PATH_LIMIT = 3500  # bytes per open call; the kernel refuses 4096


@dataclass
class ScanTotals:
    """What the walk found: counts, and bytes of regular files."""

    files: int = 0
    folders: int = 0
    bytes: int = 0


def show(path: bytes) -> str:
    """A path for people: bytes that are no UTF-8 shown escaped."""
    return path.decode("utf-8", "backslashreplace")


def open_folder(root: int, path: bytes) -> int:
    """A descriptor of the folder `path` below the descriptor `root`; any length of path."""
    folder = os.open(b".", _OPEN_DIRECTORY, dir_fd=root)
    while path:
        head, path = _split(path)
        try:
            inner = os.open(head, _OPEN_DIRECTORY, dir_fd=folder)
        finally:
            os.close(folder)
        folder = inner
    return folder


def _split(path: bytes) -> tuple[bytes, bytes]:
    if len(path) <= _PATH_LIMIT:
        return path, b""
    cut = path.rindex(b"/", 0, _PATH_LIMIT)
    return path[:cut], path[cut + 1 :]


def open_root(data_dir: Path) -> int:
    """A descriptor of the data folder. Raises `SourceError` when there is no such folder."""
    try:
        return os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise SourceError(
            f"The data folder {data_dir} does not exist.",
            code="SOURCE_MISSING",
            hint="Set BACKUP_DATA_DIR to the folder to back up, or mount it.",
        ) from None
    except NotADirectoryError:
        raise SourceError(
            f"{data_dir} is not a folder.",
            code="SOURCE_MISSING",
            hint="Set BACKUP_DATA_DIR to the folder to back up.",
        ) from None
    except OSError as error:
        raise SourceError(
            f"The data folder {data_dir} cannot be read: {error.strerror}.",
            hint="Let the user that runs the worker read it.",
        ) from error


class Scan:
    """One walk. `own` are folders of ours (temp, logs) to leave out where they lie inside.

    `cross`: enter other file systems mounted below the data folder.
    """

    def __init__(
        self,
        root: int,
        index: Index,
        progress: Progress,
        own: tuple[Path, ...],
        *,
        exclude: Excludes | None = None,
        cross: bool = False,
    ) -> None:
        self._root, self._index, self._progress = root, index, progress
        self._exclude, self._cross = exclude or Excludes(()), cross
        self._device = os.fstat(root).st_dev
        self._own = {(s.st_dev, s.st_ino) for s in map(_stat_or_none, own) if s is not None}
        self._batch: list[FileRow] = []
        self._next_id = ROOT
        self.totals = ScanTotals()

    def run(self) -> ScanTotals:
        """Fill the index. Raises `SourceError` (SOURCE_EMPTY) when there is nothing to back up."""
        self._add(ROOT, b"", os.fstat(self._root))
        waiting = [(ROOT, b"")]
        while waiting:
            folder, path = waiting.pop()
            found = list(self._folder(folder, path))
            waiting.extend(reversed(found))
            self._progress.checkpoint()
        self._flush()
        if not self.totals.files and self.totals.folders == 1:
            raise SourceError(
                "The data folder is empty: nothing was backed up and nothing removed.",
                code="SOURCE_EMPTY",
                hint="Is it mounted? Check BACKUP_DATA_DIR.",
            )
        return self.totals

    def _folder(self, folder: int, path: bytes) -> Iterator[tuple[int, bytes]]:
        """Add a folder's entries; gives its folders, as (id, path)."""
        prefix = path + b"/" if path else b""
        try:
            descriptor = open_folder(self._root, path)
        except OSError as error:
            self._warn("FOLDER_UNREADABLE", path, str(error.strerror))
            return
        try:
            names = os.listdir(descriptor)  # noqa: PTH208  (a descriptor, not a path)
            for name in sorted(map(os.fsencode, names)):
                row = self._entry(descriptor, folder, prefix, name)
                if row is not None:
                    yield row, prefix + name
        finally:
            os.close(descriptor)

    def _entry(self, descriptor: int, folder: int, prefix: bytes, name: bytes) -> int | None:
        """Add one entry; the id of its row where it is a folder to walk, else None."""
        if name.startswith(OWN_PREFIX):
            return None
        try:
            info = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        except OSError as error:
            self._warn("FILE_VANISHED", prefix + name, str(error.strerror))
            return None
        if (info.st_dev, info.st_ino) in self._own:
            return None
        if self._exclude(prefix + name, folder=stat.S_ISDIR(info.st_mode)):
            return None
        if info.st_dev != self._device and not self._cross:
            self._warn("OTHER_FILE_SYSTEM", prefix + name, "on another file system, left out")
            return None
        row = self._add(folder, name, info, prefix)
        return row if stat.S_ISDIR(info.st_mode) else None

    def _add(
        self, parent: int, name: bytes, info: os.stat_result, prefix: bytes = b""
    ) -> int | None:
        kind = _KINDS.get(stat.S_IFMT(info.st_mode))
        if kind is None:
            self._warn("SPECIAL_FILE", prefix + name, "a socket, pipe or device, left out")
            return None
        size = info.st_size if kind == FILE else 0
        row = self._next_id
        self._next_id += 1
        self._batch.append(
            FileRow(
                row, parent, name, kind, stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid,
                size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino,
            )
        )  # fmt: skip
        self._count(kind, size)
        return row

    def _count(self, kind: str, size: int) -> None:
        if kind == DIRECTORY:
            self.totals.folders += 1
        else:
            self.totals.files += 1
            self.totals.bytes += size
        if len(self._batch) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        self._index.add_files(self._batch)
        self._batch.clear()
        self._progress.totals(files=self.totals.files, bytes=self.totals.bytes)

    def _warn(self, code: str, path: bytes, message: str) -> None:
        self._progress.warn(SourceWarning(code, show(path), message))


def _stat_or_none(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
