"""From the index's work list to segments of tar bytes: read each file, write its member.

Files come first, in the scan's order; all directories follow at the very end, because their
times change with every file added and would spoil segments of files that did not.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from worker.engine.archive import tarwrite
from worker.engine.archive.codec import looks_compressed
from worker.engine.archive.index import ROOT, SYMLINK, FileRow, Index
from worker.engine.capture.holes import SparseFile, sparse
from worker.engine.capture.lanes import Emit, Lanes, RawSegment
from worker.engine.capture.owners import group_name, user_name
from worker.engine.capture.scan import open_folder, show
from worker.engine.capture.source import SQLITE_MAGIC, SourceFile, SourceGone, open_source
from worker.engine.capture.sqlite_capture import SIDE_FILES, NotCaptured, capture
from worker.engine.capture.sqlite_check import SqliteChecks
from worker.engine.progress import Progress, SourceWarning

TOP = b"data"  # the archive's top folder

Content = SourceFile | SparseFile

_SAID = {
    "FILE_SHRANK": "became shorter while it was read; filled with zeros",
    "FILE_CHANGED": "changed while it was read",
    "FILE_READ_ERROR": "could not be read to its end; filled with zeros",
}


class Packer:
    """Packs one data folder."""

    def __init__(
        self,
        *,
        root: int,
        data_dir: Path,
        temp_dir: Path,
        index: Index,
        progress: Progress,
        segment_size: int,
    ) -> None:
        self._root, self._data_dir, self._temp_dir = root, os.fsencode(data_dir), temp_dir
        self._index, self._progress = index, progress
        self._segment_size = segment_size
        self._folder_id, self._folder_path, self._folder = ROOT, b"", os.dup(root)
        self._linked: dict[tuple[int, int], bytes] = {}
        self._links: list[tuple[int, bytes]] = []
        self._captured: set[bytes] = set()
        self._checks = SqliteChecks()

    def run(self, emit: Emit) -> None:
        """Give `emit` the segments in the archive's order, end of archive included."""
        self._lanes = Lanes(self._segment_size, emit)
        for row in self._index.rows(directories=False):
            self._pack(row)
        self._lanes.flush()
        # Behind every file, whichever lane it went into: a link must find what it names.
        for row_id, header in self._links:
            self._lanes.add(row_id, header)
        for row in self._index.rows(directories=True):
            self._pack_folder(row)
        self._lanes.flush()
        emit(RawSegment(tarwrite.END_OF_ARCHIVE))

    def finish_checks(self) -> None:
        """Wait for SQLite's word on the captured databases; with instances running again."""
        self._report(self._checks.rest())

    def close(self) -> None:
        self._checks.close()
        os.close(self._folder)

    def _pack(self, row: FileRow) -> None:
        try:
            self._enter(row.parent)
            if row.kind == SYMLINK:
                self._pack_link(row)
            elif row.name not in self._captured:
                self._pack_file(row)
        except SourceGone as gone:
            self._warn(row, gone.code, str(gone))

    def _enter(self, folder: int) -> None:
        """Have the descriptor of the row's folder open."""
        if folder == self._folder_id:
            return
        path = self._index.path(folder)
        try:
            descriptor = open_folder(self._root, path)
        except OSError as error:
            raise SourceGone("FILE_VANISHED", f"its folder is gone: {error.strerror}") from None
        os.close(self._folder)
        self._folder, self._folder_id, self._folder_path = descriptor, folder, path + b"/"
        self._captured.clear()

    def _archive_path(self, row: FileRow) -> bytes:
        return b"%b/%b%b" % (TOP, self._folder_path, row.name)

    def _pack_link(self, row: FileRow) -> None:
        try:
            target = os.readlink(row.name, dir_fd=self._folder)
        except OSError as error:
            raise SourceGone("FILE_VANISHED", f"link is gone: {error.strerror}") from None
        entry = _entry(row, self._archive_path(row), tarwrite.SYMLINK, link=target)
        self._lanes.add(row.id, tarwrite.header(entry))

    def _pack_folder(self, row: FileRow) -> None:
        path = self._index.path(row.id)
        name = b"%b/%b/" % (TOP, path) if path else TOP + b"/"
        entry = _entry(row, name, tarwrite.DIRECTORY)
        self._lanes.add(row.id, tarwrite.header(entry), files=0)

    def _pack_file(self, row: FileRow) -> None:
        source = open_source(self._folder, row.name)
        try:
            if source.info.st_nlink > 1 and self._pack_hardlink(row, source):
                return
            self._pack_content(row, source)
        finally:
            source.close()

    def _pack_hardlink(self, row: FileRow, source: SourceFile) -> bool:
        """A second name of a file already packed becomes a link to the first."""
        identity = (source.info.st_dev, source.info.st_ino)
        first = self._linked.setdefault(identity, self._archive_path(row))
        if first == self._archive_path(row):
            return False
        entry = _entry(row, self._archive_path(row), tarwrite.HARDLINK, link=first)
        self._links.append((row.id, tarwrite.header(entry)))
        return True

    def _pack_content(self, row: FileRow, source: SourceFile) -> None:
        if (holed := sparse(source)) is not None:
            self._pack_bytes(row, holed, holed.read(min(holed.size, self._lanes.limit), 0), source)
            self._settle(row, source)
            return
        head = source.read(min(source.size, self._lanes.limit), 0) if source.size else b""
        if head.startswith(SQLITE_MAGIC) and self._pack_database(row, source):
            return
        self._pack_bytes(row, source, head, source)
        self._settle(row, source)

    def _settle(self, row: FileRow, source: SourceFile) -> None:
        if note := source.settle():
            self._warn(row, note, _SAID[note])

    def _pack_database(self, row: FileRow, source: SourceFile) -> bool:
        """Pack SQLite's own view of the database. False: pack it as any file."""
        path = b"%b/%b%b" % (self._data_dir, self._folder_path, row.name)
        try:
            copy = capture(path, source.fd, self._temp_dir)
        except NotCaptured as reason:
            self._warn(row, "SQLITE_COPIED_AS_FILE", f"not captured through SQLite: {reason}")
            return False
        self._pack_copy(row, copy, source)
        self._report(self._checks.submit(row, copy))
        self._captured.update(row.name + suffix for suffix in SIDE_FILES)
        return True

    def _pack_copy(self, row: FileRow, copy: Path, state: SourceFile) -> None:
        descriptor = os.open(copy, os.O_RDONLY | os.O_CLOEXEC)
        content = SourceFile(descriptor, os.fstat(descriptor))
        try:
            head = content.read(min(content.size, self._lanes.limit), 0)
            self._pack_bytes(row, content, head, state)
        finally:
            content.close()

    def _report(self, answers: Iterable[tuple[FileRow, str]]) -> None:
        """What SQLite said of captured databases."""
        for row, problem in answers:
            if problem:
                self._warn(row, "SQLITE_DAMAGED", f"SQLite's quick_check says: {problem}")
            else:
                self._index.note(row.id, "SQLITE_OK")

    def _pack_bytes(self, row: FileRow, source: Content, head: bytes, state: SourceFile) -> None:
        """Header from `state` (the file in the folder), content from `source`."""
        entry = _file_entry(self._archive_path(row), source.size, state)
        if isinstance(source, SparseFile):
            entry = entry._replace(real_size=state.size)
        header = tarwrite.header(entry)
        if len(header) + source.size <= self._lanes.limit:
            self._lanes.add(row.id, header, head, tarwrite.padding(source.size))
        else:
            self._slice(row, source, header, head)

    def _slice(self, row: FileRow, source: Content, header: bytes, head: bytes) -> None:
        """A large file: its header, then slices at fixed offsets, each a segment of its own.

        A slice that did not change then makes the same segment again, whatever its header says.
        """
        step = self._lanes.limit
        self._lanes.emit(RawSegment(header, [(row.id, 0)], files=1))
        for offset in range(0, source.size, step):
            length = min(step, source.size - offset)
            content = head if offset == 0 else source.read(length, offset)
            stored = looks_compressed(content)
            raw = content + tarwrite.padding(length)
            self._lanes.emit(RawSegment(raw, bytes=length, stored=stored))

    def _warn(self, row: FileRow, code: str, message: str) -> None:
        folder = self._index.path(row.parent)
        path = show(folder + b"/" + row.name if folder else row.name)
        self._progress.warn(SourceWarning(code, path, message))
        self._index.note(row.id, code)


def _entry(row: FileRow, path: bytes, kind: bytes, link: bytes = b"") -> tarwrite.TarEntry:
    return tarwrite.TarEntry(
        path, kind, row.mode, row.uid, row.gid, 0, row.mtime_ns, link,
        user_name(row.uid), group_name(row.gid),
    )  # fmt: skip


def _file_entry(path: bytes, size: int, state: SourceFile) -> tarwrite.TarEntry:
    """From the file's state at opening, which may be newer than the scan's."""
    info = state.info
    return tarwrite.TarEntry(
        path, tarwrite.REGULAR, info.st_mode & 0o7777, info.st_uid, info.st_gid, size,
        info.st_mtime_ns, b"", user_name(info.st_uid), group_name(info.st_gid), state.xattrs(),
    )  # fmt: skip
