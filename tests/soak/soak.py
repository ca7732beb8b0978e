"""One machine that is killed again and again, and a model of what it must still have."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
import traceback
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.engine.instances.dying_run import WrittenDown, read_effects
from tests.engine.trees import describe
from tests.soak.told import Told
from tests.support.places import leftovers
from worker.engine import crashpoints
from worker.engine.backup import run_backup
from worker.engine.capture import parts
from worker.engine.catalogue import list_backups
from worker.engine.config import PlanConfig, ReuseConfig, StorageConfig
from worker.engine.errors import StorageError
from worker.engine.janitor import tidy
from worker.engine.progress import Progress
from worker.engine.restore import run_restore
from worker.engine.restore_to import run_restore_to
from worker.engine.resume.journal import PREFIX as JOURNAL
from worker.engine.storage.s3 import S3Storage, open_storage
from worker.engine.storage.s3_client import Patience
from worker.engine.swap.copies import safety_copies
from worker.engine.swap.swap import finish_interrupted
from worker.engine.verify import run_verify

START = datetime(2026, 1, 1, tzinfo=UTC)
KEPT = 3
MEDIA = 1_500_000  # bytes at least
FAILED = 3  # the exit code of a run that the storage has failed
PATIENCE = Patience(attempts=2, seconds=10)
POINTS = {
    "backup": [
        "backup.scanned", "backup.upload-begun", "backup.resumed", "backup.part-sent",
        "backup.packed", "backup.parts-sent", "backup.committed", "backup.archive-sent",
        "backup.index-sent", "backup.published", "prune.deleted", "backup.pruned",
    ],
    "restore": [
        "restore.fetched", "restore.committed", "swap.journalled", "swap.exchanged",
        "swap.exchange-synced", "swap.safety-named", "swap.done", "swap.over",
    ],
}  # fmt: skip


class Soak:
    def __init__(
        self,
        folder: Path,
        config: StorageConfig,
        seed: int,
        *,
        encrypted: bool = False,
        rough: StorageConfig | None = None,
    ) -> None:
        """`rough`: the same bucket behind a proxy that spoils some requests; for the runs that
        may be killed."""
        self.dice, self.told = random.Random(seed), Told()
        self.unfinished: list[tuple[str, str]] = []
        self.folder, self.live = folder, folder / "place" / "data"
        self.config, self.rough = config, rough or config
        self.plan = PlanConfig(
            data_dir=self.live,
            temp_dir=folder / "temp",
            max_backups=KEPT,
            encryption_key="correct horse battery staple, and then some" if encrypted else None,
            compression_level=1,
            reuse=ReuseConfig(full_every=8, settled=-(10**18)),
        )
        self.saved: dict[str, dict[bytes, Any]] = {}  # what each published backup must hold
        self.live.mkdir(parents=True)
        for number in range(5):
            self.write(f"media-{number}.bin", MEDIA)
        for number in range(40):
            self.write(f"state-{number}.json", 500)

    def run(self, *, seconds: float, kills: int) -> None:
        began = time.monotonic()
        while time.monotonic() - began < seconds and self.told.kills < kills:
            if not self.go_on():
                break
        self.told.seconds = round(time.monotonic() - began, 1)

    def go_on(self) -> bool:
        """One round more; False when an invariant did not hold."""
        self.told.rounds += 1
        try:
            self.round()
        except Exception:  # noqa: BLE001 - whatever it is, it is told
            self.told.broken.append(f"round {self.told.rounds}: {traceback.format_exc()}")
        self.told.look()
        return not self.told.broken

    def round(self) -> None:
        self.change()
        kind = "restore" if self.saved and self.dice.random() < 0.3 else "backup"
        key = self.dice.choice(sorted(self.saved)) if kind == "restore" else ""
        before = describe(self.live)
        now = START + timedelta(minutes=self.told.rounds)
        self.blow(kind, key, now)
        finish_interrupted(self.live)
        self.check_folder(kind, key, before)
        self.check_bucket(before)
        if self.told.rounds % 10 == 0:
            self.compare()

    def change(self) -> None:
        """Some files change, come or go; sizes differ, so that times need not."""
        for _ in range(self.dice.randrange(4)):
            match self.dice.randrange(4):
                case 0:
                    self.write(f"media-{self.dice.randrange(6)}.bin", MEDIA)
                case 1 | 2:
                    self.write(f"state-{self.dice.randrange(60)}.json", 500)
                case 3:
                    (self.live / f"state-{self.dice.randrange(60)}.json").unlink(missing_ok=True)

    def write(self, name: str, size: int) -> None:
        (self.live / name).write_bytes(self.dice.randbytes(size + self.dice.randrange(size)))

    def blow(self, kind: str, key: str, now: datetime) -> None:
        """One run in a process of its own, and its death."""
        effects = self.folder / "effects"
        point = self.dice.choice(["", *POINTS[kind]])
        delay = self.dice.uniform(0, 1.2)
        effects.unlink(missing_ok=True)
        child = os.fork()
        if child == 0:
            self.work(kind, key, now, point)
        if not point:
            time.sleep(delay)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        failed = not killed and os.waitstatus_to_exitcode(status) == FAILED
        self.told.kills += killed
        self.told.failed += failed
        self.told.ended += not killed and not failed
        how = "failed" if failed else "ended"
        self.told.points[(point or "at random") if killed else how] += 1
        if not killed and not failed and os.waitstatus_to_exitcode(status):
            raise AssertionError(f"the {kind} ended with {status}")
        self.unfinished += uploads(effects)

    def work(self, kind: str, key: str, now: datetime, point: str) -> None:
        """In the child: never returns."""
        code = 1
        try:
            parts.MIN_PART = 5 * 1024 * 1024  # the least that S3 takes: the more parts
            crashpoints._NAME, crashpoints._left = point, 1
            progress = WrittenDown(self.folder / "effects")
            storage = open_storage(self.rough, patience=PATIENCE)
            if kind == "backup":
                run_backup(self.plan, storage, progress, now=now, unfinished=self.unfinished)
            else:
                run_restore(self.plan, storage, progress, key=key, now=now)
            code = 0
        except StorageError as error:
            code = FAILED if error.passing and self.rough is not self.config else 1
            traceback.print_exc()
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
        finally:
            os._exit(code)

    def check_folder(self, kind: str, key: str, before: dict[bytes, Any]) -> None:
        """I5, I6: all old or all new, and nothing lying about."""
        found = describe(self.live)
        allowed = [before] if kind == "backup" else [before, self.saved[key]]
        assert found in allowed, "the live folder is neither old nor new"
        assert leftovers(self.live) == [], "a staging folder or journal is left"
        for copy in safety_copies(self.live):
            shutil.rmtree(copy.path)

    def check_bucket(self, before: dict[bytes, Any]) -> None:
        """I2, I3, I7: what is listed is whole; what was good is still there."""
        storage = open_storage(self.config)
        listed = [one.key for one in list_backups(storage, self.plan)]
        for key in listed:
            self.saved.setdefault(key, before)
        lost = sorted(set(self.saved) - set(listed))
        assert len(listed) >= min(KEPT, len(self.saved)), f"too few are left: {lost}"
        assert not lost or max(lost) < min(listed), "a newer backup is gone than one that is there"
        for key in lost:
            del self.saved[key]
        newest = listed[:1] if self.told.rounds % 5 else listed
        for key in newest:
            run_verify(self.plan, storage, Progress(), key=key)
        self.check_uploads(storage)

    def check_uploads(self, storage: S3Storage) -> None:
        """I6: what a run began and had no time to write down is the janitor's, a day later."""
        known = {upload_id for _, upload_id in self.unfinished}
        if any(one.upload_id not in known for one in storage.uploads("")):
            self.told.points["before it was written down"] += 1
            tomorrow = datetime.now(UTC) + timedelta(hours=25)
            tidy(storage, self.plan, now=tomorrow, living_uploads=known)
        left = {one.upload_id for one in storage.uploads("")}
        assert left <= known, "an upload that nobody knows of, nor clears away"

    def compare(self) -> None:
        """Every tenth round one run may end, and each listed backup is restored and compared."""
        storage = open_storage(self.config)
        now = START + timedelta(minutes=self.told.rounds, seconds=30)
        self.told.gone_on += bool(list(self.plan.temp_dir.glob(f"{JOURNAL}*")))
        made = run_backup(self.plan, storage, Progress(), now=now, unfinished=self.unfinished)
        self.unfinished = []
        self.saved[made.key] = describe(self.live)
        assert list(storage.uploads("")) == [], "an upload is left after a backup that went well"
        for one in list_backups(storage, self.plan):
            target = self.folder / "out"
            plan = replace(self.plan, temp_dir=self.folder / "temp2")
            run_restore_to(plan, storage, Progress(), key=one.key, target=target)
            assert describe(target) == self.saved[one.key], f"{one.key} differs"
            shutil.rmtree(target)
            self.told.compared += 1
        self.saved = {one.key: self.saved[one.key] for one in list_backups(storage, self.plan)}


def uploads(effects: Path) -> list[tuple[str, str]]:
    """What the dead run wrote down."""
    found = read_effects(effects)
    return [(one["key"], one["uploadId"]) for one in found if one["effect"] == "upload"]
