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

from worker.engine.archive.index import DIRECTORY, FILE, ROOT, SYMLINK, Index, Row
from worker.engine.capture.exclude import Excludes
from worker.engine.capture.sqlite_capture import SIDE_FILES
from worker.engine.config import PlanConfig
from worker.engine.errors import SourceError
from worker.engine.extract.limits import Limits
from worker.engine.lost_found import is_file_systems_own
from worker.engine.progress import Progress, SourceWarning

OWN_PREFIX = b".tarkeep-"  # staging folders and journals of ours are never part of a backup
LIMITS = Limits()  # what a restore takes
_BATCH = 1000
_KINDS = {stat.S_IFREG: FILE, stat.S_IFDIR: DIRECTORY, stat.S_IFLNK: SYMLINK}
_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PATH_LIMIT = 3500  # bytes per open call; the kernel refuses 4096
_NAMED_MOUNTS = 5
_LET_READ = "Let the user that runs the worker read it."


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


def _listed(root: int, path: bytes) -> tuple[int, list[bytes]]:
    """The folder's descriptor, and the names in it in the order of their bytes."""
    folder = open_folder(root, path)
    try:
        return folder, sorted(map(os.fsencode, os.listdir(folder)))  # noqa: PTH208  (a descriptor)
    except OSError:
        os.close(folder)
        raise


def _split(path: bytes) -> tuple[bytes, bytes]:
    if len(path) <= _PATH_LIMIT:
        return path, b""
    cut = path.rindex(b"/", 0, _PATH_LIMIT)
    return path[:cut], path[cut + 1 :]


def open_root(data_dir: Path, variable: str = "BACKUP_DATA_DIR") -> int:
    """A descriptor of the data folder. Raises `SourceError` when there is no such folder.

    `variable` says which.
    """
    try:
        return os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise SourceError(
            f"The data folder {data_dir} does not exist.",
            code="SOURCE_MISSING",
            hint=f"Set {variable} to the folder to back up, or mount it.",
        ) from None
    except NotADirectoryError:
        raise SourceError(
            f"{data_dir} is not a folder.",
            code="SOURCE_MISSING",
            hint=f"Set {variable} to the folder to back up.",
        ) from None
    except OSError as error:
        raise SourceError(
            f"The data folder {data_dir} cannot be read: {error.strerror}.",
            hint=_LET_READ,
        ) from error


def scan_of(
    plan: PlanConfig, root: int, index: Index, progress: Progress, exclude: Excludes
) -> Scan:
    """A walk through the plan's data below the descriptor `root`, not begun yet."""
    own = [plan.temp_dir]
    if plan.read_dir and plan.temp_dir.is_relative_to(plan.data_dir):
        own.append(plan.read_dir / plan.temp_dir.relative_to(plan.data_dir))
    cross = plan.cross_file_systems
    return Scan(root, index, progress, tuple(own), exclude=exclude, cross=cross)


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
        self._batch: list[Row] = []
        self._linked: list[int] = []
        self._next_id = ROOT
        self._mounts: list[bytes] = []
        self.totals = ScanTotals()

    def run(self) -> ScanTotals:
        """Fill the index. Raises `SourceError` (SOURCE_EMPTY) when there is nothing to back up."""
        self._add(ROOT, b"", os.fstat(self._root))
        waiting = [(ROOT, b"")]
        while waiting:
            folder, path = waiting.pop()
            found = list(self._folder(folder, path))
            waiting.extend(reversed(found))
            self._progress.pulse()
            self._progress.checkpoint()
        self._flush()
        if not self.totals.files:
            raise SourceError(
                "There is no file in the data folder: nothing was backed up and nothing removed.",
                code="SOURCE_EMPTY",
                hint=self._why_empty(),
            )
        return self.totals

    def _why_empty(self) -> str:
        """Folders alone are no data: so it looks where a volume is not mounted over them."""
        hints = ["Is what belongs there mounted? Check BACKUP_DATA_DIR."]
        if self._mounts:
            names = ", ".join(map(show, self._mounts))
            hints.append(f"Mounted there and left out: {names}; see BACKUP_CROSS_FILE_SYSTEMS.")
        if self._exclude.count:
            hints.append(f"BACKUP_EXCLUDE leaves out {self._exclude.count} entries.")
        return " ".join(hints)

    def _folder(self, folder: int, path: bytes) -> Iterator[tuple[int, bytes]]:
        """Add a folder's entries; gives its folders, as (id, path)."""
        prefix = path + b"/" if path else b""
        try:
            descriptor, names = _listed(self._root, path)
        except OSError as error:
            self._unreadable(folder, path, str(error.strerror))
            return
        try:
            for name in names:
                row = self._entry(descriptor, folder, prefix, name)
                if row is not None:
                    yield row, prefix + name
        finally:
            os.close(descriptor)

    def _unreadable(self, folder: int, path: bytes, why: str) -> None:
        if folder == ROOT:
            raise SourceError(f"The data folder cannot be read: {why}.", hint=_LET_READ)
        self._warn("FOLDER_UNREADABLE", path, why)
        self._flush()  # its row may still wait in the batch
        self._index.note(folder, "FOLDER_UNREADABLE")

    def _entry(self, descriptor: int, folder: int, prefix: bytes, name: bytes) -> int | None:
        """Add one entry; the id of its row where it is a folder to walk, else None."""
        if name.startswith(OWN_PREFIX):
            return None
        try:
            info = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        except OSError as error:
            self._tell_missing(prefix + name, error)
            return None
        is_folder = stat.S_ISDIR(info.st_mode)
        if is_folder and self._is_not_the_users(name, info):
            return None
        if self._exclude.some and self._exclude(prefix + name, folder=is_folder):
            return None
        if len(prefix) + len(name) > LIMITS.path or prefix.count(b"/") >= LIMITS.depth:
            self._warn("PATH_TOO_LONG", prefix + name, "too long or too deep a path, left out")
            return None
        if info.st_dev != self._device and not self._cross:
            self._warn("OTHER_FILE_SYSTEM", prefix + name, "on another file system, left out")
            self._mounts = [*self._mounts, prefix + name][:_NAMED_MOUNTS]
            return None
        row = self._add(folder, name, info, prefix)
        return row if is_folder else None

    def _is_not_the_users(self, name: bytes, info: os.stat_result) -> bool:
        return (info.st_dev, info.st_ino) in self._own or is_file_systems_own(name, info)

    def _tell_missing(self, path: bytes, error: OSError) -> None:
        """A database's log comes and goes with each change of it, and is no loss."""
        if not isinstance(error, FileNotFoundError):
            self._warn("FILE_UNREADABLE", path, str(error.strerror))
        elif not path.endswith(SIDE_FILES):
            self._warn("FILE_VANISHED", path, str(error.strerror))

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
        self._batch.append(  # a `FileRow`, as plain as that is quicker to make
            (
                row, parent, name, kind, stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid,
                size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino,
            )
        )  # fmt: skip
        if kind == DIRECTORY:
            self.totals.folders += 1
        else:
            self.totals.files += 1
            self.totals.bytes += size
            if kind == FILE and info.st_nlink > 1:
                self._linked.append(row)
        if len(self._batch) >= _BATCH:
            self._flush()
        return row

    def _flush(self) -> None:
        self._index.add_files(self._batch)
        self._index.add_linked(self._linked)
        self._batch.clear()
        self._linked.clear()
        self._progress.totals(files=self.totals.files, bytes=self.totals.bytes)
        self._progress.checkpoint()

    def _warn(self, code: str, path: bytes, message: str) -> None:
        self._progress.warn(SourceWarning(code, show(path), message))


def _stat_or_none(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
