"""From the index's work list to segments of tar bytes: read each file, write its member.

First come segments of the last archive that may be what they were, then all other files in the
scan's order; all directories follow at the very end, because their times change with every file
added and would spoil segments of files that did not.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from worker.engine.archive import tarwrite
from worker.engine.archive.index import ROOT, SYMLINK, FileRow, Index
from worker.engine.capture.holes import SparseFile, sparse
from worker.engine.capture.lanes import Emit, Lanes, Member, RawSegment
from worker.engine.capture.owners import group_name, user_name
from worker.engine.capture.remake import Remade
from worker.engine.capture.scan import open_folder, show
from worker.engine.capture.sizes import Sizes
from worker.engine.capture.slices import Content, Slicer
from worker.engine.capture.source import (
    SQLITE_MAGIC,
    SourceFile,
    SourceGone,
    open_source,
    read_head,
    read_short,
    read_xattrs,
)
from worker.engine.capture.sqlite_capture import SIDE_FILES, NotCaptured, capture
from worker.engine.capture.sqlite_check import Answer, SqliteChecks
from worker.engine.progress import Progress, SourceWarning
from worker.engine.reuse.refused import NotReused

TOP = b"data"  # the archive's top folder
_WAL_MAGIC = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")  # "WAL-Index Format", "The WAL Header"
_SPECIAL = (SQLITE_MAGIC, *_WAL_MAGIC)

_SAID = {
    "FILE_SHRANK": "became shorter while it was read; filled with zeros",
    "FILE_CHANGED": "changed while it was read",
    "FILE_GREW": "was appended to while it was read; saved up to where it ended at first",
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
        sizes: Sizes,
    ) -> None:
        self._root, self._data_dir, self._temp_dir = root, os.fsencode(data_dir), temp_dir
        self._index, self._progress = index, progress
        self._sizes = sizes
        self._folder_id, self._folder_path, self._folder = ROOT, b"", os.dup(root)
        self._archive_folder = TOP + b"/"
        self._captured: set[bytes] = set()
        self._as_files: set[bytes] = set()
        self._checks = SqliteChecks(progress)

    def run(self, emit: Emit, rest: tuple[FileRow, int] | None = None) -> None:
        """Give `emit` the segments in the archive's order, end of archive included.

        `rest`: a file of which so many bytes stand at the end of what was taken over. Raises
        `NotReused` when it is not what it was.
        """
        self._lanes: Lanes | Remade = Lanes(self._sizes.small, emit)
        self._slicer = Slicer(self._index, self._emit)
        if rest is not None:
            self._go_on(*rest)
        self._pack_again(emit)
        for row in self._index.rows(directories=False):
            self._pack(row)
        self._lanes.flush()
        # Behind every file, whichever lane it went into: a link must find what it names.
        for row, first in self._index.links():
            self._pack_hardlink(row, first)
        for row in self._index.rows(directories=True):
            self._pack_folder(row)
        self._lanes.flush()
        emit(RawSegment([tarwrite.END_OF_ARCHIVE]))

    def _emit(self, segment: RawSegment) -> None:
        self._lanes.emit(segment)

    def _pack_again(self, emit: Emit) -> None:
        """Segments of the last archive: what is in them may be what it was."""
        lanes = self._lanes
        for number in self._index.again():
            rows = self._index.together(number)
            if like := self._index.like(number):
                self._lanes = Remade(max(self._sizes.small, like.raw_length), emit, like)
            for row in rows:
                self._pack(row)
            if like:
                self._lanes.flush()
                self._lanes = lanes

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
            elif row.name not in self._captured and not self._pack_short(row):
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
        self._folder, self._folder_id = descriptor, folder
        self._folder_path = path + b"/" if path else b""
        self._archive_folder = TOP + b"/" + self._folder_path
        self._captured.clear()
        self._as_files.clear()

    def _pack_link(self, row: FileRow) -> None:
        try:
            target = os.readlink(row.name, dir_fd=self._folder)
        except OSError as error:
            raise SourceGone("FILE_VANISHED", f"link is gone: {error.strerror}") from None
        entry = _entry(row, self._archive_folder + row.name, tarwrite.SYMLINK, link=target)
        self._lanes.add(Member(row, tarwrite.header(entry)))

    def _pack_folder(self, row: FileRow) -> None:
        path = self._index.path(row.id)
        name = b"%b/%b/" % (TOP, path) if path else TOP + b"/"
        entry = _entry(row, name, tarwrite.DIRECTORY)
        if xattrs := self._folder_xattrs(row, path):
            entry = entry._replace(xattrs=xattrs)
        self._lanes.add(Member(row, tarwrite.header(entry), files=0))

    def _folder_xattrs(self, row: FileRow, path: bytes) -> dict[bytes, bytes]:
        try:
            descriptor = open_folder(self._root, path)
        except OSError:
            return {}  # gone or closed to us: it is in the archive as the scan saw it
        try:
            return self._xattrs(row, descriptor)
        finally:
            os.close(descriptor)

    def _xattrs(self, row: FileRow, descriptor: int) -> dict[bytes, bytes]:
        kept, trouble = read_xattrs(descriptor)
        if trouble:
            self._warn(row, "XATTR_UNREADABLE", trouble)
        return kept

    def _pack_short(self, row: FileRow) -> bool:
        """Pack a short file that nothing is special about; False where it is not one."""
        content = read_short(self._folder, row)
        if content is None or content.startswith(_SPECIAL):
            return False
        name, size = row.name, len(content)
        entry = _entry(row, self._archive_folder + name, tarwrite.REGULAR, size=size)
        header = tarwrite.header(entry)
        if len(header) + size > self._lanes.limit:
            return False
        pad, path = tarwrite.padding(size), self._folder_path + name
        self._lanes.add(Member(row, header, content, pad, 1, path))
        return True

    def _pack_file(self, row: FileRow) -> None:
        source = open_source(self._folder, row.name)
        try:
            info = source.info
            # A second name of a file already packed becomes a link to the first.
            if info.st_nlink < 2 or not self._index.is_link(row.id, info.st_dev, info.st_ino):
                self._pack_content(row, source)
        finally:
            source.close()

    def _pack_hardlink(self, row: FileRow, first: bytes) -> None:
        folder = self._index.path(row.parent)
        path = b"/".join(filter(None, (TOP, folder, row.name)))
        entry = _entry(row, path, tarwrite.HARDLINK, link=TOP + b"/" + first)
        self._lanes.add(Member(row, tarwrite.header(entry)))

    def _pack_content(self, row: FileRow, source: SourceFile) -> None:
        head = read_head(source, self._lanes.limit)
        if head.startswith(SQLITE_MAGIC) and self._pack_database(row, source):
            return
        self._tell_odd_log(row, head)
        read_on = self._pack_view(row, source, head, source)
        self._settle(row, source, again=read_on)

    def _pack_view(self, row: FileRow, content: SourceFile, head: bytes, state: SourceFile) -> bool:
        """Pack the content without its holes; whether more than the head was read for that."""
        if (holed := sparse(content)) is None:
            self._pack_bytes(row, content, head, state)
            return content.size > len(head)
        self._pack_bytes(row, holed, holed.read(min(holed.size, self._lanes.limit), 0), state)
        return True

    def _settle(self, row: FileRow, source: SourceFile, *, again: bool = True) -> None:
        """`again`: more was read since somebody looked what happened to the file meanwhile."""
        if note := source.settle() if again else source.note:
            self._warn(row, note, _SAID[note])
        self._restate(row, source.info, source.size)

    def _tell_odd_log(self, row: FileRow, head: bytes) -> None:
        """A log in SQLite's format whose database does not look like one: most likely encrypted."""
        if head[:4] not in _WAL_MAGIC:
            return
        name = row.name.removesuffix(b"-wal")
        if name != row.name and name not in self._as_files:
            reason = "the log of a database that SQLite cannot open (encrypted?), saved as files"
            self._warn(row, "SQLITE_COPIED_AS_FILE", reason)

    def _has_log(self, row: FileRow) -> bool:
        """Whether what a database holds does not lie in its own file alone."""
        for suffix in (b"-wal", b"-journal"):
            with contextlib.suppress(OSError):
                if os.stat(row.name + suffix, dir_fd=self._folder).st_size:
                    return True
        return False

    def _restate(
        self, row: FileRow, info: os.stat_result, size: int, *, known: bool = True
    ) -> FileRow:
        """The index tells what the archive holds, where that differs from what the scan saw.

        Gives the row as it is now. `known`: the file's times tell its content; otherwise the index
        has 0 for its ctime.
        """
        state = (
            stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid, size,
            info.st_mtime_ns, info.st_ctime_ns if known else 0, info.st_ino,
        )  # fmt: skip
        if state == row[4:]:
            return row
        self._index.restate(row.id, *state)
        return FileRow(*row[:4], *state)

    def _pack_database(self, row: FileRow, source: SourceFile) -> bool:
        """Pack SQLite's own view of the database. False: pack it as any file."""
        path = b"%b/%b%b" % (self._data_dir, self._folder_path, row.name)
        try:
            copy = capture(path, source.fd, self._temp_dir, self._progress)
        except NotCaptured as reason:
            self._as_files.add(row.name)
            self._warn(row, "SQLITE_COPIED_AS_FILE", f"not captured through SQLite: {reason}")
            return False
        self._index.note(row.id, "SQLITE_UNCHECKED")  # until SQLite has said its word
        self._pack_copy(row, copy, source)
        self._report(self._checks.submit(row, copy))
        self._captured.update(row.name + suffix for suffix in SIDE_FILES)
        return True

    def _pack_copy(self, row: FileRow, copy: Path, state: SourceFile) -> None:
        descriptor = os.open(copy, os.O_RDONLY | os.O_CLOEXEC)
        content = SourceFile(descriptor, os.fstat(descriptor))
        try:
            head = content.read(min(content.size, self._lanes.limit), 0)
            self._pack_view(row, content, head, state)
            self._restate(row, state.info, content.size, known=not self._has_log(row))
        finally:
            content.close()

    def _report(self, answers: Iterable[tuple[FileRow, Answer]]) -> None:
        """What SQLite said of captured databases."""
        for row, answer in answers:
            if answer.said:
                self._warn(row, answer.code, answer.said)
            else:
                self._index.note(row.id, answer.code)

    def _pack_bytes(self, row: FileRow, source: Content, head: bytes, state: SourceFile) -> None:
        """Header from `state` (the file in the folder), content from `source`."""
        entry = _file_entry(self._archive_folder + row.name, source.size, state.info)
        if xattrs := self._xattrs(row, state.fd):
            entry = entry._replace(xattrs=xattrs)
        if isinstance(source, SparseFile):
            entry = entry._replace(real_size=source.real_size)
        header = tarwrite.header(entry)
        if len(header) + source.size <= self._lanes.limit:
            self._lanes.add(Member(row, header, head, tarwrite.padding(source.size)))
            return
        step = self._sizes.database if head.startswith(SQLITE_MAGIC) else self._sizes.file
        if source.size <= step:
            self._slicer.alone(row, source, header, head)
        else:
            self._slicer.whole(row, source, header, head, step=step, goes_on=source is state)

    def _go_on(self, row: FileRow, start: int) -> None:
        """The rest of a file whose first `start` bytes stand in the archive already."""
        try:
            self._enter(row.parent)
            source = open_source(self._folder, row.name)
        except SourceGone as gone:
            raise NotReused("RESUME_CHANGED", str(gone)) from None
        try:
            now = source.info
            if (now.st_size, now.st_mtime_ns, now.st_ctime_ns) != (
                row.size, row.mtime_ns, row.ctime_ns,
            ):  # fmt: skip
                raise NotReused("RESUME_CHANGED", "a file sent in part changed just now")
            magic = source.read(len(SQLITE_MAGIC), 0)
            step = self._sizes.database if magic == SQLITE_MAGIC else self._sizes.file
            self._slicer.rest(row, source, start, step)
            self._settle(row, source)
        finally:
            source.close()

    def _warn(self, row: FileRow, code: str, message: str) -> None:
        folder = self._index.path(row.parent)
        path = show(folder + b"/" + row.name if folder else row.name)
        self._progress.warn(SourceWarning(code, path, message))
        self._index.note(row.id, code)


def _entry(
    row: FileRow, path: bytes, kind: bytes, link: bytes = b"", size: int = 0
) -> tarwrite.TarEntry:
    _, _, _, _, mode, uid, gid, _, mtime, _, _ = row
    return tarwrite.TarEntry(
        path, kind, mode, uid, gid, size, mtime, link, user_name(uid), group_name(gid)
    )


def _file_entry(path: bytes, size: int, info: os.stat_result) -> tarwrite.TarEntry:
    """From the file's state at opening, which may be newer than the scan's."""
    return tarwrite.TarEntry(
        path, tarwrite.REGULAR, info.st_mode & 0o7777, info.st_uid, info.st_gid, size,
        info.st_mtime_ns, b"", user_name(info.st_uid), group_name(info.st_gid),
    )  # fmt: skip
