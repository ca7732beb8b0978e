"""The chosen part of an archive as a tar stream of its own, every member at its own path.

Folders above what was chosen come along by their records alone, so that where they are missing
they can be made as they were.
"""

from __future__ import annotations

from collections.abc import Iterator

from worker.engine.archive import tarwrite
from worker.engine.archive.choice import Choice, up
from worker.engine.archive.members import Found, Members, is_meant
from worker.engine.archive.retar import Retar
from worker.engine.extract.limits import Limits
from worker.engine.extract.membernames import TOP
from worker.engine.extract.refusals import hostile
from worker.engine.extract.tarheader import DIRECTORY
from worker.engine.extract.tarread import Member

_FOLDER_MODE = 0o755  # of a folder that its archive has no record of
_RECORD_COST = 300  # bytes of memory that a kept record costs beyond its name
_LIMITS = Limits()


class Picked(Retar):
    """What `choice` means. Raises `ArchiveError` (PATH_NOT_FOUND) at its end for a word that
    met nothing."""

    def __init__(self, members: Members, choice: Choice) -> None:
        super().__init__(members, b"")
        self._choice = choice
        self._above: dict[bytes, int] = {}  # folders needed, with a time for one without record
        self._records: dict[bytes, Member] = {}
        self._kept = 0

    def _found(self) -> Iterator[Found]:
        """Members that are chosen; records of other folders are kept for the end."""
        for path, member in self._members.chosen(self._choice):
            if is_meant(self._choice, path, member):
                self._need_above(path, member)
                yield path, member
            else:
                self._keep(path, member)

    def _need_above(self, path: bytes, member: Member) -> None:
        for above in up(path):
            if above in self._above:
                break
            self._above[above] = member.mtime

    def _see(self, path: bytes, member: Member) -> None:
        self.kind = DIRECTORY

    def _holds(self, path: bytes) -> bool:
        return self._choice(path, folder=False) or self._choice.companion(path)

    def _end(self) -> Iterator[bytes]:
        self._choice.demand_found()
        needed = (path for path in self._above if not self._choice(path, folder=True))
        for path in sorted(needed):
            yield self._folder(path)

    def _keep(self, path: bytes, member: Member) -> None:
        self._records[path] = member
        self._kept += len(path) + _RECORD_COST
        if self._kept > _LIMITS.deferred:
            raise hostile("it holds too many folders to keep in mind")

    def _folder(self, path: bytes) -> bytes:
        record = self._records.get(path)
        if record is not None:
            return tarwrite.header(self._entry(path, record, b""))
        name, mtime = TOP + b"/" + path + b"/", self._above[path]
        return tarwrite.header(tarwrite.TarEntry(name, DIRECTORY, _FOLDER_MODE, 0, 0, 0, mtime))
