"""Keeps the journal of one run's upload, and says what becomes of both when the run breaks off."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from worker.engine.archive.index import Index, SegmentRow
from worker.engine.archive.keys import MasterKey
from worker.engine.archive.manifest import RECORD
from worker.engine.capture.lanes import RawSegment, Slices
from worker.engine.config import PlanConfig
from worker.engine.errors import EngineError
from worker.engine.resume.journal import Journal, Noted
from worker.engine.resume.salvage import about
from worker.engine.reuse.base import facts
from worker.engine.reuse.reuse import Resumed, Reuse
from worker.engine.storage import Upload

_NOTES = 8  # for each part: fewer are cheaper, and what is not noted is sent again
# Neither the user's wish nor anything wrong with the data or the bucket.
_NO_FAULT_OF_ITS_OWN = frozenset({"DRAINED", "LEASE_LOST", "STALLED", "STORAGE_UNREACHABLE"})


class Noting:
    """Of one run. Nothing is noted before `begin`."""

    def __init__(self, plan: PlanConfig, index: Index) -> None:
        self._plan, self._index = plan, index
        self._journal: Journal | None = None
        self._waiting: list[tuple[SegmentRow, bytes, list[int], Slices | None]] = []
        self._known: dict[int, list[Any]] = {}  # of files that wait, as `Index.told` gives them
        self._copied = self._held = self._every = 0

    def begin(
        self, upload: Upload, key: str, captured: int, master: MasterKey | None, reuse: Reuse, *,
        copied: int, part_size: int,
    ) -> None:  # fmt: skip
        """What is taken over stands in the upload, as `copied` parts. Of that, what an earlier
        run had sent is noted too: nor is it to be sent again.

        Notes are written down several times for each part of `part_size` bytes."""
        old, self._copied, self._every = reuse.resumed, copied, part_size // _NOTES
        self._journal = Journal(
            self._plan.temp_dir,
            {
                **about(self._plan),
                "key": key,
                "uploadId": upload.upload_id,
                "captured": captured,
                "facts": facts(self._plan, master),
                "salt": master.params.salt.hex() if master else "",
                "first": reuse.segments - (old.segments if old else 0),
                "start": sum(run.size for run in reuse.runs),
            },
        )
        upload.tell_checksums(self._journal.part)
        if old:
            self._repeat(reuse.segments - old.segments, old)

    def told(self, row: SegmentRow, record: bytes, segment: RawSegment) -> None:
        """A segment was handed to the upload."""
        ids = [file for file, _ in segment.places] or self._index.in_segment(row.id)
        for file, path, start in segment.settled if self._journal else ():
            told = [file.id, os.fsdecode(bytes(path)), row.id, *file[3:], start, None]
            self._known[file.id] = told
        self._note(row, record, ids, segment.slices)

    def forget(self) -> None:
        """The upload is no longer one to go on with."""
        if self._journal:
            self._journal.discard()
        self._journal = None

    @contextmanager
    def kept(self, upload: Upload) -> Iterator[None]:
        """When the block breaks for no fault of the run, upload and journal stay for the next."""
        try:
            yield
        except EngineError as error:
            sent = upload.parts_done > self._copied
            if sent and self._journal and self._journal.path and _may_go_on(error):
                upload.leave_open()
                self.write()
                self._journal.close()
                self._journal = None
            raise
        finally:
            self.forget()

    def _repeat(self, first: int, old: Resumed) -> None:
        self._index.begin_lookups()
        rest = old.rest[0] if old.rest else None
        for number in range(first, first + old.segments):
            row = self._index.segment(number)
            start = (number - first) * RECORD.size
            ids = self._index.in_segment(number)
            slices = Slices(rest.id, rest.size, True) if rest and rest.id in ids else None
            self._note(row, old.records[start : start + RECORD.size], ids, slices)

    def _note(self, row: SegmentRow, record: bytes, ids: list[int], slices: Slices | None) -> None:
        if not self._journal:
            self._index.noted.clear()
            return
        self._waiting.append((row, record, ids, slices))
        self._held += row.length
        if self._held >= self._every:
            self.write()

    def write(self) -> None:
        """All that waits, with what else is known by now of files that were told before."""
        waiting, self._waiting, self._held = self._waiting, [], 0
        told, self._known = self._known, {}
        if not self._journal or not waiting:
            return
        begun = {file for _, _, ids, _ in waiting for file in ids}
        asked = self._index.told((begun - told.keys()) | self._index.noted)
        told |= {file[0]: file for file in asked}
        lines = [
            Noted(row, record, [told[one] for one in ids if one in told], slices)
            for row, record, ids, slices in waiting
        ]
        lines[-1].files.extend(told[one] for one in self._index.noted - begun if one in told)
        self._index.noted.clear()
        self._journal.segments(lines)


def _may_go_on(error: EngineError) -> bool:
    return error.passing or error.code in _NO_FAULT_OF_ITS_OWN
