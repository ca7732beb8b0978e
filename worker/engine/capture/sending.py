"""From the first part to the metadata: segments become an object, and objects a backup."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from worker.engine import child
from worker.engine.archive.frames import Kind, seal
from worker.engine.archive.index_keep import OwnIndex
from worker.engine.archive.index_object import IndexObject, pack_index, send_index
from worker.engine.archive.manifest import Manifest, trailer
from worker.engine.capture.apart import Apart, NotStarted
from worker.engine.capture.joining import Joiner
from worker.engine.capture.lanes import Emit
from worker.engine.capture.packing import Packing, Threads
from worker.engine.capture.parts import NEW_PARTS, PartWriter, largest_copy, part_size
from worker.engine.capture.pipeline import Pipeline
from worker.engine.capture.sizes import sizes
from worker.engine.capture.stretch import Copying
from worker.engine.crashpoints import crashpoint
from worker.engine.instances.stopping import Stopped
from worker.engine.metadata import Metadata, dump
from worker.engine.naming import index_key, metadata_key
from worker.engine.reuse.copying import sample
from worker.engine.reuse.refused import completing
from worker.engine.storage import MOST_PARTS, Upload
from worker.engine.storage.crc_trial import WORTH
from worker.engine.storage.guards import MD5, Guard
from worker.engine.version import VERSION

if TYPE_CHECKING:
    from worker.engine.capture.run import BackupRun

_WORTH_A_PROCESS = 64 * 1024 * 1024  # bytes of source data
log = logging.getLogger(__name__)


class Sending:
    """One backup's way into the bucket; `run` was scanned and compared."""

    def __init__(self, run: BackupRun) -> None:
        self.run = run

    def send(self, feed: Callable[[Emit], None], instances: Stopped | None) -> Metadata:
        """Publish what `feed` emits; `instances` are started when all of it is read."""
        with (
            self._goes_on(),
            self.run.storage.start_upload(
                self.run.key, metadata=self._stamp(), guard=self._guard()
            ) as upload,
            self.run.noting.kept(upload),
            self._begun(upload) as writer,
        ):
            self._pack(feed, writer)
            self.run.noting.write()  # while there is an index to ask
            crashpoint("backup.packed")
            if instances is not None:
                instances.start()
            self.run.packer.finish_checks()
            checksum = f"sha256-tree:{self.run.index.tree()}"
            self._look_what_was_copied(writer)
            packed = self._finish_index()
            self._seal_manifest(writer, packed)
            digest = writer.finish()
            if not self._copied:
                checksum = f"sha256:{digest}"
            if self.run.reuse.resumed:
                self.run.reuse.resumed.left.drop(self.run.storage)  # all is copied from it
            crashpoint("backup.parts-sent")
            self.run.progress.phase("publishing")
            self.run.progress.commit("publish")
            crashpoint("backup.committed")
            self.run.noting.forget()  # before the archive is asked for: see resume/salvage.py
            self._complete(writer)
        crashpoint("backup.archive-sent")
        self.run.reuse.check(self.run.storage, self.run.key, self._sample)
        return self._publish(packed, writer.position, checksum)

    @contextmanager
    def _goes_on(self) -> Iterator[None]:
        """What an earlier run has sent is ours alone meanwhile."""
        try:
            yield
        finally:
            if self.run.reuse.resumed:
                self.run.reuse.resumed.left.close()

    @contextmanager
    def _begun(self, upload: Upload) -> Iterator[PartWriter]:
        """Written down, and with what is taken over already in it."""
        self.run.progress.record("upload", key=self.run.key, uploadId=upload.upload_id)
        crashpoint("backup.upload-begun")
        most = self.run.storage.max_parts
        new = self.run.totals.bytes - self.run.reuse.unchanged
        size = part_size(new, parts=NEW_PARTS * most // MOST_PARTS)
        with PartWriter(
            upload,
            size,
            least=self.run.plan.reuse.least_copy,
            joiner=self._joiner(upload),
            max_parts=most,
            largest_copy=largest_copy(self.run.totals.bytes, max_parts=most),
            check=self.run.progress.checkpoint,
        ) as writer:
            self.run.reuse.copy(writer, self.run.progress)
            self.run.noting.begin(
                upload,
                self.run.key,
                self.run.captured,
                self.run.master,
                self.run.reuse,
                copied=writer.parts,
                part_size=size,
            )
            if self.run.reuse.resumed:
                crashpoint("backup.resumed")
            yield writer

    def _joiner(self, upload: Upload) -> Joiner | None:
        base = self.run.reuse.base
        if not base or not base.joins:
            return None
        return Joiner(upload, self.run.storage, self.run.key, self._stamp())

    def _complete(self, writer: PartWriter) -> None:
        if not writer.copied:
            writer.complete()
            return
        with completing():
            writer.complete()

    def _look_what_was_copied(self, writer: PartWriter) -> None:
        self._copied = writer.copied
        self._sample = sample(self.run.index, self.run.reuse.segments, self._copied_segments)
        old = self.run.reuse.resumed
        if self.run.reuse.base and self._copied == (old.size if old else 0):
            self.run.reuse = replace(self.run.reuse, base=None, reason="TOO_LITTLE")

    def _guard(self) -> Guard:
        """Of the upload's parts: CRC-32 only where nothing is copied, and much is sent."""
        reuse = self.run.reuse
        if reuse.base or reuse.resumed or self.run.totals.bytes < WORTH:
            return MD5
        return self.run.storage.guard_of_whole(self.run.plan)

    def _stamp(self) -> dict[str, str]:
        """Object metadata that tells which run wrote it."""
        return {"tarkeep-job": self.run.job_id} if self.run.job_id else {}

    def _pack(self, feed: Callable[[Emit], None], writer: PartWriter) -> None:
        with Pipeline(
            writer=writer,
            index=self.run.index,
            progress=self.run.progress,
            packing=self._packing(),
            level=self.run.plan.compression_level,
            first=self.run.reuse.segments,
            records=self.run.reuse.all_records,
            told=self.run.noting.told,
            copying=self._copying(writer),
        ) as pipeline:
            feed(pipeline.submit)
            pipeline.drain()
        self._segments, self._records = pipeline.count, pipeline.records
        self._copied_segments = pipeline.copied

    def _packing(self) -> Packing:
        """Much is packed in a process of its own, if nothing of it may be as it was: what is
        compared is not handed to another process for that."""
        run = self.run
        if run.totals.bytes >= _WORTH_A_PROCESS and not run.reuse.source and child.worth_it():
            largest = sizes(run.plan.segment_size, run.totals.bytes).file
            try:
                return Apart(run.master, run.progress, largest=largest)
            except NotStarted as reason:
                log.warning("Packing in one process, which takes a little longer: %s", reason)
        return Threads(run.master)

    def _copying(self, writer: PartWriter) -> Copying | None:
        source = self.run.reuse.source
        return Copying(source, writer, self.run.plan.reuse.worth) if source else None

    def _finish_index(self) -> IndexObject:
        facts = {"name": Path(self.run.key).name, "created": self._time(), "format": "1"}
        facts |= self.run.reuse.info(self.run.plan, self.run.master, self.run.captured)
        self.run.index.finish(facts, sealed=self.run.master is not None)
        path = self.run.work / "index.sqlite3"
        packed = pack_index(path, self.run.work / "index.packed", self.run.master)
        self._own = OwnIndex(path, self._records if self.run.master else b"")
        return packed

    def _seal_manifest(self, writer: PartWriter, packed: IndexObject) -> None:
        """The last frame pins all others and the index; plain archives have no place for one."""
        if self.run.master is None:
            return
        manifest = Manifest(
            Path(self.run.key).name,
            self._time(),
            packed.size,
            packed.sha256,
            records=self._records,
        )
        frame = seal(Kind.MANIFEST, manifest.dump(), self.run.master)
        writer.write(frame)
        writer.write(trailer(frame))

    def _publish(self, packed: IndexObject, size: int, checksum: str) -> Metadata:
        send_index(self.run.storage, index_key(self.run.key), packed)
        crashpoint("backup.index-sent")
        metadata = self._metadata(packed, size, checksum)
        self.run.progress.commit("publish")  # again: this is what makes a backup of it
        self.run.storage.put_new(metadata_key(self.run.key), dump(metadata))
        crashpoint("backup.published")
        base = self.run.reuse.base
        last = base.index if base else None
        self._own.keep(self.run.plan, self.run.key, packed.sha256, instead_of=last)
        return metadata

    def _metadata(self, packed: IndexObject, size: int, checksum: str) -> Metadata:
        return Metadata(
            timestamp=self._time(),
            size=size,
            checksum=checksum,
            compressed=True,
            encrypted=self.run.master is not None,
            version=VERSION,
            format_version=1,
            data_size=self.run.totals.bytes,
            file_count=self.run.totals.files,
            folder_count=self.run.totals.folders,
            segment_count=self._segments,
            index_size=packed.size,
            index_checksum=f"sha256:{packed.sha256}",
            warning_count=self.run.progress.count,
            key_id=self.run.master.key_id.hex() if self.run.master else None,
            job_id=self.run.job_id or None,
            fence=self.run.fence or None,
            downtime_seconds=self.run.downtime if self.run.plan.stop_instances else None,
            bytes_read=self.run.totals.bytes - self.run.reuse.unchanged,
            bytes_sent=size - self._copied + packed.size,
            bytes_copied=self._copied,
            base=Path(self.run.reuse.base.key).name if self.run.reuse.base else None,
            generation=self.run.reuse.generation,
            full_reason=self.run.reuse.reason or None,
            duration_seconds=round(time.monotonic() - self.run.started, 3),
        )

    def _time(self) -> str:
        return self.run.now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
