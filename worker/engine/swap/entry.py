"""Single entries below a folder, reached without following a link on the way."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from worker.engine.extract.beneath import Beneath
from worker.engine.extract.syscalls import RENAME_EXCHANGE, RENAME_NOREPLACE, rename

_ROOT = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_HANDLE = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NO_FLAGS = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)
_OWNER_ALL = 0o700
_PLAIN = 0  # flags of a rename
_LONG = 512  # bytes of a path that SQLite takes for certain


class Entries:
    """The entries below `folder`, named by their paths in it."""

    def __init__(self, folder: Path) -> None:
        self.root = os.open(folder, _ROOT)
        self._beneath = Beneath(self.root)

    def info(self, path: bytes) -> os.stat_result | None:
        """What `lstat` says, None where nothing is. `OSError` where the way is no folder."""
        parent, _, name = path.rpartition(b"/")
        try:
            return os.stat(name, dir_fd=self._beneath.existing(parent), follow_symlinks=False)
        except FileNotFoundError:
            return None

    def names(self, path: bytes) -> list[bytes]:
        """What lies in the folder at `path`, in order; nothing where there is no folder."""
        try:
            found = os.listdir(self._beneath.existing(path))  # noqa: PTH208  (a descriptor)
        except FileNotFoundError:
            return []
        return sorted(map(os.fsencode, found))

    def remove(self, path: bytes) -> None:
        """Remove a file or link."""
        parent, _, name = path.rpartition(b"/")
        os.unlink(name, dir_fd=self._beneath.existing(parent))

    def inode(self, path: bytes) -> int:
        """0 where nothing is."""
        found = self.info(path)
        return found.st_ino if found else 0

    def begins_with(self, path: bytes, start: bytes) -> bool:
        """Whether it is a regular file that begins so."""
        found = self.info(path)
        if found is None or not stat.S_ISREG(found.st_mode):
            return False
        parent, _, name = path.rpartition(b"/")
        descriptor = os.open(name, _FILE, dir_fd=self._beneath.existing(parent))
        try:
            return os.read(descriptor, len(start)) == start
        finally:
            os.close(descriptor)

    @contextmanager
    def named(self, path: bytes, short: Path) -> Iterator[Path]:
        """A path that any program can open the file by: its own, or `short` where that is too long.

        `short` must lie on the same file system, where nothing is yet.
        """
        folder = Path(os.readlink(f"/proc/self/fd/{self.root}"))  # noqa: PTH115  (a descriptor)
        own = folder / os.fsdecode(path)
        if len(os.fsencode(own)) < _LONG:
            yield own
            return
        parent, _, name = path.rpartition(b"/")
        os.link(name, short, src_dir_fd=self._beneath.existing(parent), follow_symlinks=False)
        try:
            yield short
        finally:
            short.unlink()

    def readable(self, path: bytes, info: os.stat_result) -> bool:
        """Whether we may read the file, or look into the folder, of which `info` was told."""
        kind = stat.S_IFMT(info.st_mode)
        wanted = {stat.S_IFREG: os.R_OK, stat.S_IFDIR: os.R_OK | os.X_OK}.get(kind, os.F_OK)
        if os.geteuid() == 0 or wanted == os.F_OK:
            return True
        parent, _, name = path.rpartition(b"/")
        folder = self._beneath.existing(parent)
        return os.access(name, wanted, dir_fd=folder, effective_ids=True)

    def make_parent(self, path: bytes, like: Entries) -> None:
        """Make the folders above `path` as they are in `like`."""
        parent = path.rpartition(b"/")[0]
        if not parent or self.info(parent):
            return
        self.make_parent(parent, like)
        made = self._beneath.folder(parent)
        if (looks := like.info(parent)) is not None:
            if os.geteuid() == 0:
                os.fchown(made, looks.st_uid, looks.st_gid)
            os.fchmod(made, stat.S_IMODE(looks.st_mode) | _OWNER_ALL)

    @contextmanager
    def times_kept(self, path: bytes) -> Iterator[None]:
        """The nearest folder above `path` keeps its times while something is put below it."""
        above = path.rpartition(b"/")[0]
        while self.info(above or b".") is None:
            above = above.rpartition(b"/")[0]
        folder = os.dup(self._beneath.existing(above))
        try:
            times = os.fstat(folder)
            yield
            with suppress(PermissionError):
                os.utime(folder, ns=(times.st_atime_ns, times.st_mtime_ns))
        finally:
            os.close(folder)

    def place(self, path: bytes) -> bytes:
        """A path for renames that leads there whatever becomes of the folders' names."""
        parent, _, name = path.rpartition(b"/")
        return b"/proc/self/fd/%d/%s" % (self._beneath.existing(parent), name)

    def folders_moved(self, path: bytes) -> Iterator[int]:
        """Descriptors, for the caller to close, of the folder above and of the entry, if it is
        one."""
        parent, _, name = path.rpartition(b"/")
        yield os.dup(self._beneath.existing(parent))
        found = self.info(path)
        if found is not None and stat.S_ISDIR(found.st_mode):
            yield os.open(name, _HANDLE, dir_fd=self._beneath.existing(parent))

    def close(self) -> None:
        self._beneath.close()
        os.close(self.root)


def move(source: Entries, path: bytes, target: Entries, new_path: bytes = b"") -> None:
    """Move an entry to where nothing is. `FileExistsError` where something is."""
    there = new_path or path
    try:
        _rename(source, path, target, there, RENAME_NOREPLACE)
    except OSError as error:
        if error.errno not in _NO_FLAGS:
            raise
        if target.info(there):  # this file system cannot be told to spare the target
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), there) from error
        os.rename(source.place(path), target.place(there))  # noqa: PTH104  (bytes)


def move_over(source: Entries, path: bytes, target: Entries) -> None:
    """Move a folder to where an empty one is. `OSError` (ENOTEMPTY) where that is not empty."""
    _rename(source, path, target, path, _PLAIN)


def exchange(one: Entries, other: Entries, path: bytes) -> bool:
    """Let two entries of the same path change places, at once. False where that cannot be."""
    try:
        _rename(one, path, other, path, RENAME_EXCHANGE)
    except OSError as error:
        if error.errno not in _NO_FLAGS:
            raise
        return False
    return True


def _rename(one: Entries, path: bytes, other: Entries, there: bytes, flags: int) -> None:
    try:
        rename(one.place(path), other.place(there), flags=flags)
    except PermissionError:
        with ExitStack() as unlocked:
            folders = [*one.folders_moved(path), *other.folders_moved(there)]
            if not sum(unlocked.enter_context(_writable(folder)) for folder in folders):
                raise
            rename(one.place(path), other.place(there), flags=flags)


@contextmanager
def _writable(folder: int) -> Iterator[bool]:
    """Give ourselves the right to write the opened folder; False where we have it already.

    Moving an entry changes the folder that it lies in, and moving a folder its own `..`.
    """
    place = b"/proc/self/fd/%d" % folder
    try:
        mode = stat.S_IMODE(os.stat(folder).st_mode)
        if mode & _OWNER_ALL == _OWNER_ALL:
            yield False
            return
        os.chmod(place, mode | _OWNER_ALL)  # noqa: PTH101  (a descriptor)
        yield True
        os.chmod(place, mode)  # noqa: PTH101
    finally:
        os.close(folder)
