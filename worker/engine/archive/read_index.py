"""An index for an archive that came without one, made by reading the archive through."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath

from worker.engine.archive.index import DIRECTORY as FOLDER
from worker.engine.archive.index import FILE, FORMAT, ROOT, SYMLINK, FileRow, Index
from worker.engine.archive.index_reader import IndexReader, open_index, order
from worker.engine.archive.members import NO_INDEX
from worker.engine.archive.reader import open_archive
from worker.engine.capture.workspace import workspace
from worker.engine.catalogue import BackupInfo
from worker.engine.config import PlanConfig
from worker.engine.errors import ArchiveError
from worker.engine.extract import tarheader
from worker.engine.extract.limits import Limits
from worker.engine.extract.membernames import inside
from worker.engine.extract.refusals import hostile, shown
from worker.engine.extract.target_errors import as_target_error
from worker.engine.extract.tarread import Member, read_members
from worker.engine.progress import Progress
from worker.engine.room import limits_of
from worker.engine.storage import Storage

_LIMITS = Limits()
_KINDS = {
    tarheader.FILE: FILE,
    tarheader.HARDLINK: FILE,
    tarheader.SYMLINK: SYMLINK,
    tarheader.DIRECTORY: FOLDER,
}


@contextmanager
def open_or_read_index(
    storage: Storage, plan: PlanConfig, backup: BackupInfo, progress: Progress
) -> Iterator[tuple[IndexReader, bool]]:
    """The index, and whether the archive had to be read through for it, which takes as long as
    a restore. Such an index serves to look at, not to fetch by."""
    try:
        with open_index(storage, plan, backup) as index:
            yield index, False
            return
    except ArchiveError as error:
        if error.code not in NO_INDEX:
            raise
    with as_target_error("reading the archive"), workspace(plan.temp_dir) as work:
        path = work / "read.sqlite3"
        _write(storage, plan, backup, progress, path)
        with closing(IndexReader(path)) as reader:
            yield reader, True


def _write(
    storage: Storage, plan: PlanConfig, backup: BackupInfo, progress: Progress, path: Path
) -> None:
    index = Index(path)
    try:
        rows = _Rows(index)
        with open_archive(storage, plan, backup, progress) as stream:
            for member in read_members(stream, limits_of(backup)):
                inner = inside(member.path, _LIMITS)
                if inner is not None and member.kind in _KINDS:
                    rows.add(inner, member)
        rows.add_folders()
        index.finish({"name": PurePosixPath(backup.key).name, "format": str(FORMAT)})
    finally:
        index.close()
    order(path)
    rows.mend_links(path)


class _Rows:
    """Files go into the index as they come, folders, which may come last, at the end."""

    def __init__(self, index: Index) -> None:
        self._index, self._last = index, ROOT
        self._folders: dict[bytes, FileRow] = {b"": FileRow(1, 1, b"", FOLDER, 0o755, *[0] * 6)}
        self._links: list[tuple[int, bytes]] = []
        self._held = 0

    def add(self, path: bytes, member: Member) -> None:
        if member.kind == tarheader.DIRECTORY:
            row = self._folder(path)
            self._folders[path] = _row(row.id, row.parent, row.name, member)
            return
        parent, _, name = path.rpartition(b"/")
        row = _row(0, self._folder(parent).id, name, member)._replace(id=self._next())
        self._insert(row)
        if member.kind == tarheader.HARDLINK:
            self._links.append((row.id, inside(member.link, _LIMITS) or b""))
            self._hold(member.link)

    def add_folders(self) -> None:
        for row in self._folders.values():
            self._insert(row)

    def mend_links(self, path: Path) -> None:
        """A hard link is as large and as old as the file that it names."""
        with closing(IndexReader(path)) as reader, closing(sqlite3.connect(path)) as db:
            for number, target in self._links:
                meant = reader.find(target)
                if meant is None or not meant.is_file:
                    raise hostile(f"{shown(target)} is meant by a hard link but is no file")
                values = (meant.size, meant.mtime_ns, number)
                db.execute("UPDATE files SET size=?, mtime_ns=? WHERE id=?", values)
            db.commit()

    def _folder(self, path: bytes) -> FileRow:
        """Its row; made, with those above, where it was not met before."""
        if path not in self._folders:
            parent, _, name = path.rpartition(b"/")
            above = self._folder(parent).id
            self._hold(path)
            row = FileRow(self._next(), above, name, FOLDER, 0o755, *[0] * 6)
            self._folders[path] = row
        return self._folders[path]

    def _insert(self, row: FileRow) -> None:
        self._index.add_files([row])
        self._index.locate([(0, 0, row.id)])

    def _next(self) -> int:
        self._last += 1
        return self._last

    def _hold(self, name: bytes) -> None:
        """Bound the memory of what has to wait for the end."""
        self._held += len(name) + 300
        if self._held > _LIMITS.deferred:
            raise hostile("it holds too many folders and links to keep in mind")


def _row(number: int, parent: int, name: bytes, member: Member) -> FileRow:
    size = member.size if member.kind == tarheader.FILE else 0
    return FileRow(
        number, parent, name, _KINDS[member.kind], member.mode & 0o7777, member.uid, member.gid,
        size, member.mtime, 0, 0,
    )  # fmt: skip
