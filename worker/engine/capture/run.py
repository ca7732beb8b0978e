"""The stages of one backup and the state that they hand on; the story is `backup.py`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from worker.engine import metadata as metadata_file
from worker.engine import retention
from worker.engine.archive.deployment_key import sealing_key
from worker.engine.archive.frames import Kind, seal
from worker.engine.archive.index import Index
from worker.engine.archive.index_object import IndexObject, pack_index, send_index
from worker.engine.archive.keys import MasterKey
from worker.engine.archive.manifest import Manifest, trailer
from worker.engine.capture.exclude import Excludes
from worker.engine.capture.lanes import Emit
from worker.engine.capture.pack import Packer
from worker.engine.capture.parts import PartWriter, part_size
from worker.engine.capture.pipeline import Pipeline
from worker.engine.capture.scan import Scan, ScanTotals, open_root
from worker.engine.capture.spool import Spool, fits
from worker.engine.config import PlanConfig
from worker.engine.errors import StorageError
from worker.engine.instances.drivers import open_drivers
from worker.engine.instances.stopping import Stopped, stop_instances
from worker.engine.naming import archive_key, index_key, metadata_key
from worker.engine.preview import preview
from worker.engine.progress import Counting, Progress, SourceWarning
from worker.engine.storage import Storage
from worker.engine.version import VERSION


class BackupRun:
    """One backup. `prepared`, `stopped`, `scan`, `archive`, `prune`, in this order."""

    def __init__(
        self,
        plan: PlanConfig,
        storage: Storage,
        progress: Progress,
        now: datetime,
        job_id: str,
        fence: int,
    ) -> None:
        self.plan, self.storage, self.now = plan, storage, now
        self.progress = Counting(progress, strict=plan.strict)
        self.job_id, self.fence = job_id, fence
        self.key = archive_key(plan, now)
        self.started = time.monotonic()
        self.totals = ScanTotals()
        self.roomy = False
        self.instances: Stopped | None = None

    @contextmanager
    def prepared(self, work: Path) -> Iterator[None]:
        """Data folder and index open, key at hand."""
        self.work = work
        self.root = open_root(self.plan.data_dir)
        self.index = Index(work / "index.sqlite3")
        self.packer = self._packer()
        try:
            self.master: MasterKey | None = sealing_key(self.storage, self.plan)
            yield
        finally:
            self.packer.close()
            self.index.close()
            os.close(self.root)

    @contextmanager
    def stopped(self) -> Iterator[Stopped | None]:
        """Instances stopped where that is asked for; running again at the end in any case."""
        if not self.plan.stop_instances:
            yield None
            return
        self.roomy = self._room_for_spool()
        self.progress.phase("stopping")
        drivers = open_drivers(self.plan.instances)
        with stop_instances(drivers, self.progress, self.plan.instances.policy) as self.instances:
            yield self.instances

    @property
    def downtime(self) -> float:
        """Seconds that instances were stopped; 0 when none was."""
        return self.instances.downtime if self.instances else 0.0

    def _room_for_spool(self) -> bool:
        """Looked at before anything is stopped. Without room instances wait for the upload."""
        if fits(self.work, preview(self.plan, Progress()).totals.bytes):
            return True
        message = "no room for a spool in the temporary folder: instances stay stopped for longer"
        self.progress.warn(SourceWarning("SPOOL_NO_ROOM", "", message))
        return False

    def scan(self) -> None:
        own = (self.plan.temp_dir,)
        self.totals = Scan(
            self.root,
            self.index,
            self.progress,
            own,
            exclude=Excludes(self.plan.exclude),
            cross=self.plan.cross_file_systems,
        ).run()

    def archive(self, instances: Stopped | None) -> None:
        """Read, pack and publish; `instances` are started as soon as all is read."""
        if instances is None or not self.roomy:
            self.progress.phase("archiving")
            self._send(self.packer.run, instances)
            return
        self.progress.phase("capturing")
        with Spool(self.work / "spool", self.index, self.progress) as spool:
            self.packer.run(spool.submit)
            spool.drain()
            instances.start()
            self.progress.phase("archiving")
            self.progress.totals(files=self.totals.files, bytes=self.totals.bytes)
            self._send(spool.replay, None)

    def _send(self, feed: Callable[[Emit], None], instances: Stopped | None) -> None:
        """Everything between the first part and the metadata."""
        with (
            self.storage.start_upload(self.key, metadata=self._stamp()) as upload,
            PartWriter(upload, part_size(self.totals.bytes)) as writer,
        ):
            self.progress.record("upload", key=self.key, uploadId=upload.upload_id)
            self._pack(feed, writer)
            if instances is not None:
                instances.start()
            self.packer.finish_checks()
            packed = self._finish_index()
            self._seal_manifest(writer, packed)
            digest = writer.finish()
            self.progress.phase("publishing")
            self.progress.commit("publish")
            writer.complete()
        self._publish(packed, writer.position, digest)

    def _stamp(self) -> dict[str, str]:
        """Object metadata that tells which run wrote it."""
        return {"tarkeep-job": self.job_id} if self.job_id else {}

    def _pack(self, feed: Callable[[Emit], None], writer: PartWriter) -> None:
        with Pipeline(
            writer=writer,
            index=self.index,
            progress=self.progress,
            level=self.plan.compression_level,
            master=self.master,
        ) as pipeline:
            feed(pipeline.submit)
            pipeline.drain()
        self.segments, self.records = pipeline.count, pipeline.records

    def _packer(self) -> Packer:
        return Packer(
            root=self.root,
            data_dir=self.plan.data_dir,
            temp_dir=self.work,
            index=self.index,
            progress=self.progress,
            segment_size=self.plan.segment_size,
        )

    def _finish_index(self) -> IndexObject:
        facts = {"name": Path(self.key).name, "created": self._time(), "format": "1"}
        self.index.finish(facts)
        path = self.work / "index.sqlite3"
        return pack_index(path, self.work / "index.packed", self.master)

    def _seal_manifest(self, writer: PartWriter, packed: IndexObject) -> None:
        """The last frame pins all others and the index; plain archives have no place for one."""
        if self.master is None:
            return
        manifest = Manifest(
            Path(self.key).name, self._time(), packed.size, packed.sha256, records=self.records
        )
        frame = seal(Kind.MANIFEST, manifest.dump(), self.master)
        writer.write(frame)
        writer.write(trailer(frame))

    def _publish(self, packed: IndexObject, size: int, digest: str) -> None:
        send_index(self.storage, index_key(self.key), packed)
        self.metadata = self._metadata(packed, size, digest)
        self.storage.put(metadata_key(self.key), metadata_file.dump(self.metadata))

    def _metadata(self, packed: IndexObject, size: int, digest: str) -> metadata_file.Metadata:
        return metadata_file.Metadata(
            timestamp=self._time(),
            size=size,
            checksum=f"sha256:{digest}",
            compressed=True,
            encrypted=self.master is not None,
            version=VERSION,
            format_version=1,
            data_size=self.totals.bytes,
            file_count=self.totals.files,
            segment_count=self.segments,
            index_size=packed.size,
            index_checksum=f"sha256:{packed.sha256}",
            warning_count=self.progress.count,
            key_id=self.master.key_id.hex() if self.master else None,
            job_id=self.job_id or None,
            fence=self.fence or None,
            downtime_seconds=self.downtime if self.plan.stop_instances else None,
            duration_seconds=round(time.monotonic() - self.started, 3),
        )

    def _time(self) -> str:
        return self.now.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def prune(self) -> tuple[str, ...]:
        """Delete what retention no longer keeps; trouble with that is a warning, no failure."""
        try:
            return tuple(
                retention.apply(self.storage, self.plan, self.progress, just_made=self.key)
            )
        except StorageError as error:
            self.progress.warn(SourceWarning("PRUNE_FAILED", "", error.message))
            return ()
