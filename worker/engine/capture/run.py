"""The stages of one backup and the state that they hand on; the story is `backup.py`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

from worker.engine import hooks, retention
from worker.engine import metadata as metadata_file
from worker.engine.archive.deployment_key import sealing_key
from worker.engine.archive.frames import Kind, seal
from worker.engine.archive.index import Index
from worker.engine.archive.index_object import IndexObject, pack_index, send_index
from worker.engine.archive.keys import MasterKey
from worker.engine.archive.manifest import Manifest, trailer
from worker.engine.capture.exclude import Excludes
from worker.engine.capture.joining import Joiner
from worker.engine.capture.lanes import Emit
from worker.engine.capture.pack import Packer
from worker.engine.capture.parts import NEW_PARTS, PartWriter, largest_copy, part_size
from worker.engine.capture.pipeline import Pipeline
from worker.engine.capture.scan import ScanTotals, open_root, scan_of
from worker.engine.capture.sizes import sizes
from worker.engine.capture.spool import Spool, SpoolFull, fits
from worker.engine.capture.stretch import Copying
from worker.engine.config import PlanConfig
from worker.engine.crashpoints import crashpoint
from worker.engine.errors import StorageError, TargetError
from worker.engine.instances.drivers import open_drivers
from worker.engine.instances.stopping import Stopped, stop_instances
from worker.engine.memory import keep_buffers
from worker.engine.naming import archive_key, index_key, metadata_key
from worker.engine.preview import needed
from worker.engine.progress import Counting, Progress, SourceWarning, Unseen
from worker.engine.resume.noting import Noting
from worker.engine.resume.resume import drop_all, forsake, go_on
from worker.engine.resume.salvage import known_salts
from worker.engine.reuse.base import Base
from worker.engine.reuse.copying import sample
from worker.engine.reuse.refused import NotReused, completing
from worker.engine.reuse.reuse import Reuse, full, open_for, take_over
from worker.engine.storage import MOST_PARTS, Storage, Upload
from worker.engine.swap.copies import expire
from worker.engine.swap.lock import share
from worker.engine.version import VERSION

_AGAIN = {
    NotReused: "not built on the last backup, all is packed anew",
    SpoolFull: "read once more, with instances stopped for as long as the upload takes",
}


class BackupRun:
    """One backup. `prepared`, `stopped`, `reading`, `scan`, `archive`, `prune`, in this order."""

    def __init__(
        self,
        plan: PlanConfig,
        storage: Storage,
        progress: Progress,
        now: datetime,
        job_id: str,
        fence: int,
        *,
        held: retention.Held,
        no_reuse: str = "",
        deep: bool = False,
        spooling: bool = True,
        unfinished: Sequence[tuple[str, str]] = (),
    ) -> None:
        """`no_reuse`: why nothing may be taken over from the last backup; empty when it may.
        `deep`: all is read and compared.

        `spooling`: whether the temporary folder may hold what is read while instances are stopped.
        `unfinished`: key and id of uploads that earlier attempts have left open.
        """
        self.held, self.no_reuse, self.unfinished = held, no_reuse, unfinished
        self.spooling, self.deep = spooling, deep
        self.plan, self.storage, self.now = plan, storage, now
        self.progress = Counting(progress, strict=plan.strict)
        self.job_id, self.fence = job_id, fence
        self.key = archive_key(plan, now)
        self.started = time.monotonic()
        self.totals = ScanTotals()
        self.roomy = False
        self.downtime_before = 0.0  # of attempts of this run that came to nothing
        self.instances: Stopped | None = None

    @contextmanager
    def prepared(self, work: Path) -> Iterator[None]:
        """Data folder locked, index open, key at hand."""
        self.work = work
        with ExitStack() as stack:
            live = open_root(self.plan.data_dir)
            stack.callback(os.close, live)
            share(live)
            self.index = stack.enter_context(closing(Index(work / "index.sqlite3")))
            self.noting = Noting(self.plan, self.index)
            keep_buffers()
            deriving = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="key"))
            self._master = deriving.submit(
                sealing_key, self.storage, self.plan, known_salts(self.plan)
            )
            self._open_until_end = stack
            yield

    @cached_property
    def _base(self) -> Base | Reuse:
        """What to compare with; the bucket is asked for it."""
        if self.no_reuse:
            return full(self.no_reuse)
        return open_for(self._open_until_end, self.storage, self.plan, self.master, self.held)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What is to be read is open: the data folder, or a snapshot that is there by now."""
        folder, variable = self.plan.data_dir, "BACKUP_DATA_DIR"
        if self.plan.read_dir:
            folder, variable = self.plan.read_dir, "BACKUP_READ_DIR"
        self.root = open_root(folder, variable)
        try:
            self.packer = self._packer(folder)
            with closing(self.packer):
                yield
        finally:
            os.close(self.root)

    def again(self, reason: NotReused | SpoolFull) -> BackupRun:
        """The same backup once more, without what did not work."""
        full_disk = isinstance(reason, SpoolFull)
        run = BackupRun(
            self.plan, self.storage, self.progress.inner, self.now, self.job_id, self.fence,
            held=self.held, no_reuse=self.no_reuse if full_disk else reason.code,
            spooling=self.spooling and not full_disk, unfinished=self.unfinished, deep=self.deep,
        )  # fmt: skip
        run.started, run.downtime_before = self.started, self.downtime
        run.progress.count = self.progress.count
        run.progress.warn(SourceWarning(reason.code, "", f"{_AGAIN[type(reason)]}: {reason}"))
        return run

    @property
    def master(self) -> MasterKey | None:
        """The key to seal with, None for a plain archive; derived while the folder is scanned."""
        return self._master.result()

    @contextmanager
    def stopped(self) -> Iterator[Stopped | None]:
        """Instances stopped where that is asked for; running again at the end in any case.

        Gives what is stopped still.
        """
        if not self.plan.stop_instances:
            yield None
            return
        # What is wrong with bucket or key is said, and what comes from there is here, before
        # anything is stopped.
        _ = self.master, self._base
        self.roomy = self._room_for_spool()
        self.progress.phase("stopping")
        drivers = open_drivers(self.plan.instances)
        with stop_instances(drivers, self.progress, self.plan.instances.policy) as self.instances:
            hooks.stopped(self.plan.hooks, self.progress, job_id=self.job_id)
            if self.plan.read_dir:  # a snapshot does not change when they run again
                self.instances.start()
            yield None if self.plan.read_dir else self.instances

    @property
    def downtime(self) -> float:
        """Seconds that instances were stopped; 0 when none was."""
        now = self.instances.downtime if self.instances else 0.0
        return round(self.downtime_before + now, 3)

    def _room_for_spool(self) -> bool:
        """Looked at before anything is stopped. Without room instances wait for the upload."""
        if self.plan.read_dir or not self.spooling:
            return False
        if fits(self.work, needed(self.plan, Unseen(self.progress))):
            return True
        message = "no room for a spool in the temporary folder: instances stay stopped for longer"
        self.progress.warn(SourceWarning("SPOOL_NO_ROOM", "", message))
        return False

    def scan(self) -> None:
        self.captured = time.time_ns()
        excludes = Excludes(self.plan.exclude)
        scan = scan_of(self.plan, self.root, self.index, self.progress, excludes)
        self.totals = scan.run()
        crashpoint("backup.scanned")

    def compare(self) -> None:
        """Find out what can be taken over from the last backup."""
        base = self._base
        self.reuse = (
            take_over(self.storage, self.plan, self.index, base, deep=self.deep)
            if isinstance(base, Base)
            else base
        )
        if self.no_reuse or self.reuse.same:
            drop_all(self.storage, self.plan)
        else:
            self.reuse = go_on(
                self.storage, self.plan, self.master, self.index, self.reuse, self.work
            )
        forsake(self.storage, self.unfinished)

    @property
    def unchanged(self) -> Base | None:
        """The last backup, where it stands for this run: nothing changed since."""
        return self.reuse.base if self.reuse.same else None

    def archive(self, instances: Stopped | None) -> None:
        """Read, pack and publish; `instances` are started as soon as all is read."""
        if instances is None or not self.roomy:
            self.progress.phase("archiving")
            self._send(self._pack_all, instances)
            return
        self.progress.phase("capturing")
        with self._spool() as spool:
            self._pack_all(spool.submit)
            spool.drain()
            self.index.begin_lookups()
            crashpoint("backup.captured")
            instances.start()
            self.progress.phase("archiving")
            self.progress.totals(files=self.totals.files, bytes=self.totals.bytes)
            self._send(spool.replay, None)

    def _pack_all(self, emit: Emit) -> None:
        self.packer.run(emit, self.reuse.resumed.rest if self.reuse.resumed else None)

    def _spool(self) -> Spool:
        return Spool(self.work / "spool", self.index, self.progress, self.reuse.segments)

    def _send(self, feed: Callable[[Emit], None], instances: Stopped | None) -> None:
        """Everything between the first part and the metadata."""
        with (
            self._goes_on(),
            self.storage.start_upload(self.key, metadata=self._stamp()) as upload,
            self.noting.kept(upload),
            self._begun(upload) as writer,
        ):
            self._pack(feed, writer)
            crashpoint("backup.packed")
            if instances is not None:
                instances.start()
            self.packer.finish_checks()
            checksum = f"sha256-tree:{self.index.tree()}"
            self._look_what_was_copied(writer)
            packed = self._finish_index()
            self._seal_manifest(writer, packed)
            digest = writer.finish()
            if not self.copied:
                checksum = f"sha256:{digest}"
            if self.reuse.resumed:
                self.reuse.resumed.left.drop(self.storage)  # all is copied from it
            crashpoint("backup.parts-sent")
            self.progress.phase("publishing")
            self.progress.commit("publish")
            crashpoint("backup.committed")
            self.noting.forget()  # before the archive is asked for: see resume/salvage.py
            self._complete(writer)
        crashpoint("backup.archive-sent")
        self.reuse.check(self.storage, self.key, self.sample)
        self._publish(packed, writer.position, checksum)

    @contextmanager
    def _goes_on(self) -> Iterator[None]:
        """What an earlier run has sent is ours alone meanwhile."""
        try:
            yield
        finally:
            if self.reuse.resumed:
                self.reuse.resumed.left.close()

    @contextmanager
    def _begun(self, upload: Upload) -> Iterator[PartWriter]:
        """Written down, and with what is taken over already in it."""
        self.progress.record("upload", key=self.key, uploadId=upload.upload_id)
        crashpoint("backup.upload-begun")
        most = self.storage.max_parts
        new = self.totals.bytes - self.reuse.unchanged
        with PartWriter(
            upload,
            part_size(new, parts=NEW_PARTS * most // MOST_PARTS),
            least=self.plan.reuse.least_copy,
            joiner=self._joiner(upload),
            max_parts=most,
            largest_copy=largest_copy(self.totals.bytes, max_parts=most),
            check=self.progress.checkpoint,
        ) as writer:
            self.reuse.copy(writer, self.progress)
            self.noting.begin(
                upload, self.key, self.captured, self.master, self.reuse, copied=writer.parts
            )
            if self.reuse.resumed:
                crashpoint("backup.resumed")
            yield writer

    def _joiner(self, upload: Upload) -> Joiner | None:
        base = self.reuse.base
        if not base or not base.joins:
            return None
        return Joiner(upload, self.storage, self.key, self._stamp())

    def _complete(self, writer: PartWriter) -> None:
        if not writer.copied:
            writer.complete()
            return
        with completing():
            writer.complete()

    def _look_what_was_copied(self, writer: PartWriter) -> None:
        self.copied = writer.copied
        self.sample = sample(self.index, self.reuse.segments, self.copied_segments)
        old = self.reuse.resumed
        if self.reuse.base and self.copied == (old.size if old else 0):
            self.reuse = replace(self.reuse, base=None, reason="TOO_LITTLE")

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
            first=self.reuse.segments,
            records=self.reuse.all_records,
            told=self.noting.told,
            copying=self._copying(writer),
        ) as pipeline:
            feed(pipeline.submit)
            pipeline.drain()
        self.segments, self.records = pipeline.count, pipeline.records
        self.copied_segments = pipeline.copied

    def _copying(self, writer: PartWriter) -> Copying | None:
        source = self.reuse.source
        return Copying(source, writer, self.plan.reuse.worth) if source else None

    def _packer(self, folder: Path) -> Packer:
        return Packer(
            root=self.root,
            data_dir=folder,
            temp_dir=self.work,
            index=self.index,
            progress=self.progress,
            sizes=sizes(self.plan.segment_size, self.totals.bytes),
        )

    def _finish_index(self) -> IndexObject:
        facts = {"name": Path(self.key).name, "created": self._time(), "format": "1"}
        facts |= self.reuse.info(self.plan, self.master, self.captured)
        self.index.finish(facts, sealed=self.master is not None)
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

    def _publish(self, packed: IndexObject, size: int, checksum: str) -> None:
        send_index(self.storage, index_key(self.key), packed)
        crashpoint("backup.index-sent")
        self.metadata = self._metadata(packed, size, checksum)
        self.progress.commit("publish")  # again: this is what makes a backup of it
        self.storage.put_new(metadata_key(self.key), metadata_file.dump(self.metadata))
        crashpoint("backup.published")

    def _metadata(self, packed: IndexObject, size: int, checksum: str) -> metadata_file.Metadata:
        return metadata_file.Metadata(
            timestamp=self._time(),
            size=size,
            checksum=checksum,
            compressed=True,
            encrypted=self.master is not None,
            version=VERSION,
            format_version=1,
            data_size=self.totals.bytes,
            file_count=self.totals.files,
            folder_count=self.totals.folders,
            segment_count=self.segments,
            index_size=packed.size,
            index_checksum=f"sha256:{packed.sha256}",
            warning_count=self.progress.count,
            key_id=self.master.key_id.hex() if self.master else None,
            job_id=self.job_id or None,
            fence=self.fence or None,
            downtime_seconds=self.downtime if self.plan.stop_instances else None,
            bytes_read=self.totals.bytes - self.reuse.unchanged,
            bytes_sent=size - self.copied + packed.size,
            bytes_copied=self.copied,
            base=Path(self.reuse.base.key).name if self.reuse.base else None,
            generation=self.reuse.generation,
            full_reason=self.reuse.reason or None,
            duration_seconds=round(time.monotonic() - self.started, 3),
        )

    def _time(self) -> str:
        return self.now.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def prune(self) -> tuple[str, ...]:
        """Delete what retention no longer keeps; trouble with that is a warning, no failure."""
        try:
            return tuple(
                retention.apply(
                    self.storage, self.plan, self.progress, just_made=self.key, held=self.held
                )
            )
        except StorageError as error:
            self.progress.warn(SourceWarning("PRUNE_FAILED", "", error.message))
            return ()

    def expire_copies(self) -> None:
        """Remove safety copies that this backup has outlived; one that has to stay is told of."""
        try:
            looked = expire(
                self.plan.data_dir,
                now=self.now,
                days=self.plan.safety_copy_days,
                last_backup=self.now,
                pulse=self.progress.pulse,
            )
            for copy in looked.kept:
                self.progress.warn(SourceWarning(copy.code, "", f"{copy.message}. {copy.hint}"))
        except TargetError as error:
            self.progress.warn(SourceWarning("SAFETY_COPY_KEPT", "", error.message))
