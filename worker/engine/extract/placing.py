"""What the file system's answer says about the archive while one member is put in its place."""

from __future__ import annotations

import errno
from types import TracebackType

from worker.engine.extract.refusals import hostile, shown

_MEANING = {
    errno.EEXIST: "is in the archive twice",
    errno.ENOTDIR: "lies below something that is no folder",
    errno.ELOOP: "lies below a symlink",
    errno.EXDEV: "lies outside of the data folder",
    errno.ENOENT: "is a hard link to nothing in the archive",
    errno.EISDIR: "is in the archive as a file and as a folder",
}


class Placing:
    """Around the calls for one member: turns an `OSError` that the archive itself has caused
    into ARCHIVE_HOSTILE (the folder was empty and is only ours) and lets others through."""

    __slots__ = ("_path",)

    def __init__(self, path: bytes) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, OSError) and error.errno in _MEANING:
            raise hostile(f"{shown(self._path)} {_MEANING[error.errno]}") from error
