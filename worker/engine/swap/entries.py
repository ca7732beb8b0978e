"""The swap where the live folder itself cannot be moved: a mount point, a volume, a container's
lower layer. Its entries are moved one by one, first all old ones out, then all new ones in.

Whoever looks meanwhile sees a folder half filled: this is not atomic. But the journal tells the
two halves apart, so after a crash the first is undone and the second is finished, and each
step may be done again without harm.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from worker.engine.crashpoints import crashpoint
from worker.engine.extract.syscalls import RENAME_NOREPLACE, rename, sync_file_system
from worker.engine.lost_found import is_file_systems_own
from worker.engine.swap import journal
from worker.engine.swap.entry import Entries
from worker.engine.swap.journal import IN, Note
from worker.engine.swap.site import OWN

_STRAYS = f"{OWN}written-meanwhile"
_EXISTS = (errno.EEXIST, errno.ENOTEMPTY)
_OWNER_ALL = 0o700


@dataclass
class EntrySwap:
    """`journal_path` and `note` of a swap whose folders lie in `workplace`."""

    live: Path
    workplace: Path
    journal_path: Path
    note: Note

    def run(self) -> None:
        """From a journal at OUT to the end: the live folder holds what was staged."""
        self._move_out()
        self._note(replace(self.note, phase=IN))
        crashpoint("entries.turned")
        self.finish()

    def finish(self) -> None:
        """From a journal at IN to the end."""
        if self._staged.exists():
            for name in _names(self._staged):
                self._move(self._staged / name, self.live / name)
                crashpoint("entries.moved-in")
            _copy_looks(self._staged, self.live)
            self._keep_hidden()
            self._sync()
            crashpoint("entries.all-in")
            self._staged.rmdir()

    def undo(self) -> None:
        """From a journal at OUT back to where it began."""
        if not self._safety.exists():
            return
        for name in _names(self._safety):
            self._move(self._safety / name, self.live / name)
            crashpoint("entries.moved-back")
        _copy_looks(self._safety, self.live)
        self._sync()
        if not os.listdir(self._safety):  # noqa: PTH208  (strays may be kept in it)
            self._safety.rmdir()

    @property
    def _staged(self) -> Path:
        return self.workplace / self.note.staged

    @property
    def _safety(self) -> Path:
        return self.workplace / self.note.safety

    def _move_out(self) -> None:
        self._safety.mkdir(mode=_OWNER_ALL)
        _copy_looks(self.live, self._safety)
        times = self.live.stat()
        crashpoint("entries.safety-made")
        while names := _names(self.live):
            for name in names:
                self._move(self.live / name, self._safety / name)
                crashpoint("entries.moved-out")
        os.utime(self._safety, ns=(times.st_atime_ns, times.st_mtime_ns))
        self._sync()
        crashpoint("entries.all-out")

    def _move(self, source: Path, target: Path) -> None:
        try:
            rename(os.fsencode(source), os.fsencode(target), flags=RENAME_NOREPLACE)
        except OSError as error:
            self._other_way(error)(source, target)

    def _other_way(self, error: OSError) -> Callable[[Path, Path], None]:
        """How to go on when a plain rename did not work."""
        if error.errno == errno.EXDEV:
            return self._split
        if error.errno in _EXISTS:
            return self._merge if self.note.split else self._replace_stray
        if error.errno in (errno.EINVAL, errno.ENOSYS):
            return self._plain
        if error.errno == errno.EACCES:
            return _lift_read_only
        raise error

    def _plain(self, source: Path, target: Path) -> None:
        """A file system whose rename cannot be told to spare the target."""
        if os.path.lexists(target):
            self._other_way(FileExistsError(errno.EEXIST, ""))(source, target)
        else:
            source.rename(target)

    def _split(self, source: Path, target: Path) -> None:
        """An overlay's lower folder cannot be renamed, but what is in it can, piece by piece."""
        if not source.is_dir() or source.is_symlink():
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(source))
        if not self.note.split:
            self._note(replace(self.note, split=True))
        target.mkdir(mode=_OWNER_ALL)
        _copy_looks(source, target)
        self._merge(source, target)

    def _merge(self, source: Path, target: Path) -> None:
        """Bring over what is left of a folder that was moved piece by piece."""
        if not (_is_folder(source) and _is_folder(target)):
            self._replace_stray(source, target)
            return
        times = source.stat()
        for name in os.listdir(source):  # noqa: PTH208  (names, not paths)
            self._move(source / name, target / name)
            crashpoint("entries.moved-piece")
        _copy_looks(source, target)
        os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))
        source.rmdir()

    def _replace_stray(self, source: Path, target: Path) -> None:
        """Somebody wrote to the folder meanwhile: theirs is put aside in the safety copy."""
        strays = self._safety / _STRAYS
        strays.mkdir(mode=_OWNER_ALL, exist_ok=True)
        aside = next(
            path for n in range(1000) if not os.path.lexists(path := strays / f"{target.name}.{n}")
        )
        target.rename(aside)
        source.rename(target)

    def _keep_hidden(self) -> None:
        """What an earlier swap had put aside in a safety copy stays aside, in the new one."""
        for name in os.listdir(self._staged):  # noqa: PTH208  (names, not paths)
            names = (name if n == 1 else f"{name}-{n}" for n in count(1))
            free = (path for path in map(self._safety.joinpath, names) if not os.path.lexists(path))
            (self._staged / name).rename(next(free))

    def _note(self, note: Note) -> None:
        journal.write(self.journal_path, note)
        self.note = note

    def _sync(self) -> None:
        """What moved piece by piece lies in folders further down: then all of the disk."""
        if self.note.split:
            with closing(Entries(self.workplace)) as entries:
                sync_file_system(entries.root)
            return
        strays = self._safety / _STRAYS
        for folder in (self.live, self._staged, strays, self._safety, self.workplace):
            if folder.exists():
                journal.sync_folder(folder)


def _names(folder: Path) -> list[str]:
    """The entries that are neither ours nor the file system's."""
    names = sorted(n for n in os.listdir(folder) if not n.startswith(OWN))  # noqa: PTH208
    return [n for n in names if not is_file_systems_own(os.fsencode(n), (folder / n).lstat())]


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _lift_read_only(source: Path, target: Path) -> None:
    """Moving a folder to another parent changes its `..`, which needs the right to write it."""
    mode = stat.S_IMODE(source.lstat().st_mode)
    if not _is_folder(source) or mode & _OWNER_ALL == _OWNER_ALL:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(source))
    source.chmod(mode | _OWNER_ALL)
    rename(os.fsencode(source), os.fsencode(target), flags=RENAME_NOREPLACE)
    target.chmod(mode)


def _copy_looks(source: Path, target: Path) -> None:
    """Owner (where it differs), mode, times and attributes of a folder itself."""
    wanted, found = source.stat(), target.stat()
    if (wanted.st_uid, wanted.st_gid) != (found.st_uid, found.st_gid):
        os.chown(target, wanted.st_uid, wanted.st_gid)
    shutil.copystat(source, target)
