"""Keeps the journal of one run's upload, and says what becomes of both when the run breaks off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from worker.engine.archive.index import Index, SegmentRow
from worker.engine.archive.keys import MasterKey
from worker.engine.archive.manifest import RECORD
from worker.engine.capture.lanes import RawSegment, Slices
from worker.engine.config import PlanConfig
from worker.engine.errors import EngineError, JobStopped, StorageError
from worker.engine.resume.journal import Journal
from worker.engine.resume.salvage import about
from worker.engine.reuse.base import facts
from worker.engine.reuse.reuse import Resumed, Reuse
from worker.engine.storage import Upload

# Neither the user's wish nor anything wrong with the data or the bucket.
_NO_FAULT_OF_ITS_OWN = frozenset({"DRAINED", "LEASE_LOST", "STALLED", "STORAGE_UNREACHABLE"})


class Noting:
    """Of one run. Nothing is noted before `begin`."""

    def __init__(self, plan: PlanConfig, index: Index) -> None:
        self._plan, self._index = plan, index
        self._journal: Journal | None = None
        self._copied = 0

    def begin(
        self, upload: Upload, key: str, captured: int, master: MasterKey | None, reuse: Reuse, *,
        copied: int,
    ) -> None:  # fmt: skip
        """What is taken over stands in the upload, as `copied` parts. Of that, what an earlier
        run had sent is noted too: nor is it to be sent again."""
        old, self._copied = reuse.resumed, copied
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
        except (StorageError, JobStopped) as error:
            sent = upload.parts_done > self._copied
            if sent and self._journal and self._journal.path and _may_go_on(error):
                upload.leave_open()
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
        if self._journal:
            files = list(self._index.told({*ids, *self._index.noted}))
            self._journal.segment(row, record, files, slices)
        self._index.noted.clear()


def _may_go_on(error: EngineError) -> bool:
    return error.passing or error.code in _NO_FAULT_OF_ITS_OWN
