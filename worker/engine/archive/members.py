"""The members of one archive that lie below a path, whichever way they can be had.

By the index only the segments that hold them are fetched; without one the archive is read
through. What is given out is authentic by itself either way, but that an archive read through
is whole and nothing in it was swapped is only known when the last member was taken.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from worker.engine.archive.browse import walk
from worker.engine.archive.choice import Choice, up
from worker.engine.archive.index_reader import Entry, IndexReader, open_index
from worker.engine.archive.open_frames import passphrases
from worker.engine.archive.plain import warn_plain
from worker.engine.archive.reader import open_archive
from worker.engine.archive.segment_reader import SegmentReader
from worker.engine.archive.tarwrite import END_OF_ARCHIVE
from worker.engine.catalogue import BackupInfo, check_name
from worker.engine.config import PlanConfig
from worker.engine.errors import ArchiveError
from worker.engine.extract.limits import Limits
from worker.engine.extract.membernames import inside
from worker.engine.extract.refusals import damaged, shown
from worker.engine.extract.tarheader import DIRECTORY
from worker.engine.extract.tarread import Member, read_members
from worker.engine.progress import Progress, SourceWarning
from worker.engine.room import limits_of
from worker.engine.storage import Storage

_LIMITS = Limits()
NO_INDEX = ("INDEX_MISSING", "INDEX_DAMAGED", "INDEX_FOREIGN")

Found = tuple[bytes, Member]  # the path below the data folder, and the member


class Measure(NamedTuple):
    """Entries of all kinds, the files among them, and their bytes."""

    entries: int
    files: int
    bytes: int


class Members(Protocol):
    def below(self, path: bytes) -> Iterator[Found]:
        """What lies at `path` and below. Content must be read before the next is asked for."""
        ...

    def at(self, paths: Collection[bytes]) -> Iterator[Found]:
        """What lies at exactly these paths."""
        ...

    def chosen(self, choice: Choice) -> Iterator[Found]:
        """What is meant, and folders besides: at least the records of those above."""
        ...


@contextmanager
def open_members(
    storage: Storage,
    plan: PlanConfig,
    backup: BackupInfo,
    progress: Progress,
    cache_dir: Path | None = None,
) -> Iterator[ByIndex | Through]:
    """By the index where there is one to believe; an unusable one is warned of."""
    check_name(backup)
    with ExitStack() as stack:
        try:
            index = stack.enter_context(open_index(storage, plan, backup, cache_dir))
        except ArchiveError as error:
            if error.code not in NO_INDEX:
                raise
            if error.code != "INDEX_MISSING":
                progress.warn(SourceWarning(error.code, "", error.message))
            index = None
        if index is None:
            yield Through(storage, plan, backup, progress)
            return
        if backup.metadata is not None and not backup.metadata.encrypted:
            warn_plain(plan, progress)
        segments = SegmentReader(storage, backup.key, index, passphrases(plan), progress)
        stack.callback(segments.close)
        yield ByIndex(index, segments)


class ByIndex:
    """Members by ranged requests for their segments."""

    def __init__(self, index: IndexReader, segments: SegmentReader) -> None:
        self._index, self._segments = index, segments

    def below(self, path: bytes) -> Iterator[Found]:
        top = self._index.entry(path)
        return self._members(walk(self._index, top), lambda found, _: within(found, path))

    def at(self, paths: Collection[bytes]) -> Iterator[Found]:
        entries = (entry for path in paths if (entry := self._index.find(path)))
        return self._members(entries, lambda found, _: found in paths)

    def chosen(self, choice: Choice) -> Iterator[Found]:
        """Raises `ArchiveError` when something that the index names is not in the archive."""
        above: set[bytes] = set()
        expected = 0

        def entries() -> Iterator[Entry]:
            nonlocal expected
            for entry in choice.entries(self._index):
                expected += 1
                above.update(up(entry.path))
                yield entry
            above.difference_update([path for path in above if choice(path, folder=True)])
            yield from map(self._index.entry, sorted(above))

        for path, member in self._members(
            entries(), lambda path, member: path in above or is_meant(choice, path, member)
        ):
            expected -= path not in above
            yield path, member
        if expected:
            raise damaged("it holds not all that its index names")

    def measure(self, choice: Choice) -> Measure:
        """How much is meant. `ArchiveError` (PATH_NOT_FOUND)."""
        entries = files = size = 0
        for entry in choice.entries(self._index):
            entries, files, size = entries + 1, files + entry.is_file, size + entry.size
        return Measure(entries, files, size)

    def one(self, path: bytes) -> Member:
        """The member at that path. Raises `ArchiveError` (PATH_NOT_FOUND)."""
        entry = self._index.entry(path)
        self._segments.expect(self._segments.covering(entry))
        run = _Run(self._segments, entry.segment, entry.start)
        found, member = next(run.members(), (None, None))
        if member is not None and found == path:
            return member
        raise damaged(f"{shown(entry.path)} is not where its index says")

    def _members(
        self, entries: Iterator[Entry], wanted: Callable[[bytes, Member], bool]
    ) -> Iterator[Found]:
        """Memory grows with the number of segments alone."""
        first: set[int] = set()
        needed: set[int] = set()
        for entry in entries:
            first.add(entry.segment)
            needed.update(self._segments.covering(entry))
        self._segments.expect(sorted(needed))
        for number in sorted(first):
            found = _Run(self._segments, number).members()
            yield from ((path, member) for path, member in found if wanted(path, member))


class Through:
    """Members by reading all of the archive."""

    def __init__(
        self, storage: Storage, plan: PlanConfig, backup: BackupInfo, progress: Progress
    ) -> None:
        self._storage, self._plan, self._backup = storage, plan, backup
        self._progress = progress
        self.limits = limits_of(backup)

    def below(self, path: bytes) -> Iterator[Found]:
        return self._members(lambda found, _: within(found, path))

    def at(self, paths: Collection[bytes]) -> Iterator[Found]:
        return self._members(lambda found, _: found in paths)

    def chosen(self, choice: Choice) -> Iterator[Found]:
        return self._members(
            lambda path, member: member.kind == DIRECTORY or is_meant(choice, path, member)
        )

    def _members(self, wanted: Callable[[bytes, Member], bool]) -> Iterator[Found]:
        with open_archive(self._storage, self._plan, self._backup, self._progress) as stream:
            for member in read_members(stream, self.limits):
                path = inside(member.path, _LIMITS)
                if path is not None and wanted(path, member):
                    yield path, member


def is_meant(choice: Choice, path: bytes, member: Member) -> bool:
    """Whether the member is chosen, or belongs to a database that is."""
    return choice(path, folder=member.kind == DIRECTORY) or choice.companion(path)


def within(path: bytes, top: bytes) -> bool:
    """Whether `path` is `top` or lies below it; everything lies below b""."""
    return not top or path == top or path.startswith(top + b"/")


class _Run:
    """A tar stream of one segment, from `start` on.

    A large file's slices follow its header in segments of their own, so these are added as long
    as the member at hand is not complete. Then the end mark closes the stream.
    """

    def __init__(self, segments: SegmentReader, number: int, start: int = 0) -> None:
        self._segments, self._number = segments, number
        self._left = memoryview(segments.raw(number))[start:]
        self._member: Member | None = None
        self._ended = False

    def members(self) -> Iterator[Found]:
        for member in read_members(self, _LIMITS):
            self._member = member
            path = inside(member.path, _LIMITS)
            if path is not None:
                yield path, member

    def read(self, size: int) -> bytes:
        """At most `size` bytes, never beyond a segment's end at a time."""
        if not self._left and not self._ended:
            self._go_on()
        piece, self._left = self._left[:size], self._left[size:]
        return bytes(piece)

    def _go_on(self) -> None:
        if self._member is not None and self._member.left:
            self._number += 1
            self._left = memoryview(self._segments.raw(self._number))
        else:
            self._left, self._ended = memoryview(END_OF_ARCHIVE), True
