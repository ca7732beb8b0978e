"""The stages of one backup and the state that they hand on; the story is `backup.py`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path

from worker.engine import hooks, retention
from worker.engine.archive.deployment_key import sealing_key
from worker.engine.archive.index import Index
from worker.engine.archive.keys import MasterKey
from worker.engine.capture.exclude import Excludes
from worker.engine.capture.lanes import Emit
from worker.engine.capture.pack import Packer
from worker.engine.capture.scan import ScanTotals, open_root, scan_of
from worker.engine.capture.sending import Sending
from worker.engine.capture.sizes import sizes
from worker.engine.capture.spool import Spool, SpoolFull, fits
from worker.engine.config import PlanConfig
from worker.engine.crashpoints import crashpoint
from worker.engine.instances.drivers import open_drivers
from worker.engine.instances.stopping import Stopped, stop_instances
from worker.engine.memory import keep_buffers
from worker.engine.naming import archive_key
from worker.engine.preview import needed
from worker.engine.progress import Counting, Progress, SourceWarning, Unseen
from worker.engine.resume.noting import Noting
from worker.engine.resume.resume import drop_all, forsake, go_on
from worker.engine.resume.salvage import known_salts
from worker.engine.reuse.base import Base
from worker.engine.reuse.refused import NotReused
from worker.engine.reuse.reuse import Reuse, full, open_for, take_over
from worker.engine.storage import Storage
from worker.engine.swap.lock import share

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
            self.metadata = Sending(self).send(self._pack_all, instances)
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
            self.metadata = Sending(self).send(spool.replay, None)

    def _pack_all(self, emit: Emit) -> None:
        self.packer.run(emit, self.reuse.resumed.rest if self.reuse.resumed else None)

    def _spool(self) -> Spool:
        return Spool(self.work / "spool", self.index, self.progress, self.reuse.segments)

    def _packer(self, folder: Path) -> Packer:
        return Packer(
            root=self.root,
            data_dir=folder,
            temp_dir=self.work,
            index=self.index,
            progress=self.progress,
            sizes=sizes(self.plan.segment_size, self.totals.bytes),
        )
