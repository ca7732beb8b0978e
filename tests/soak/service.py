"""A whole service that is struck again and again: `python -m tests.soak.service`.

Two workers, control and beat, with a database, Redis and a bucket of their own that spoils requests
now and then. Each round a backup runs over a slow line and something is killed, ended or emptied in
the middle of it; then it has to end well by itself, without anybody's help. Prints as JSON what
happened, and how long it took from the death of a run to the beginning of its next attempt.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launcher.seaweed import start_seaweed
from tests.engine.trees import describe
from tests.soak.__main__ import rough
from tests.soak.parts import Service
from tests.soak.told import Size, slope
from tests.support.s3client import s3_client
from worker.engine.catalogue import list_backups
from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.progress import Progress
from worker.engine.restore_to import run_restore_to
from worker.engine.storage.s3 import open_storage

if TYPE_CHECKING:
    from backups_app.models import Job

KEPT = 3
LINE = "3M"  # bytes a second: a backup of a round takes some seconds
SENDING = ("archiving", "publishing", "pruning")
SLOW = 600.0  # seconds within which a struck job must have ended well


@dataclass
class Seen:
    rounds: int = 0
    blows: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    recovered: list[float] = field(default_factory=list)  # seconds from a death to the next attempt
    cancelled: list[float] = field(default_factory=list)  # seconds from the wish to the job's end
    compared: int = 0
    broken: list[str] = field(default_factory=list)
    sizes: dict[str, list[Size]] = field(default_factory=lambda: defaultdict(list))

    def as_dict(self) -> dict[str, Any]:
        grown = {name: self._grown(sizes) for name, sizes in self.sizes.items()}
        told = {"rounds": self.rounds, "blows": dict(self.blows), "compared": self.compared}
        return {**told, "deaths": len(self.recovered), "recovered after": spread(self.recovered),
                "cancelled after": spread(self.cancelled), "broken": self.broken,
                "grown each round": grown}  # fmt: skip

    def _grown(self, sizes: list[Size]) -> dict[str, float]:
        return {name: slope([getattr(one, name) for one in sizes]) for name in vars(sizes[0])}


def spread(seconds: list[float]) -> list[float]:
    """Half of them are within the first, 95 % within the second, all within the third."""
    times = sorted(seconds)
    return [round(times[int((len(times) - 1) * share)], 1) for share in (0.5, 0.95, 1) if times]


class Watch:
    def __init__(self, service: Service, bucket: StorageConfig, seed: int) -> None:
        self.service, self.dice, self.seen = service, random.Random(seed), Seen()
        self.storage = open_storage(bucket)
        self.plan = PlanConfig(data_dir=service.data, temp_dir=service.folder / "temp-watch")
        self.saved: dict[str, dict[bytes, Any]] = {}
        self.blows: dict[str, Callable[[Job], bool]] = {
            "kill the job's process": self.kill_process,
            "kill its worker": self.kill_worker,
            "SIGTERM its worker": self.drain_worker,
            "kill Redis": lambda _: self.redis(forget=False),
            "kill Redis and empty it": lambda _: self.redis(forget=True),
            "kill control": lambda _: self.part("control"),
            "cancel it": self.cancel,
            "nothing": lambda _: False,
        }
        if service.database_url.startswith("postgres"):
            self.blows["end the database's sessions"] = self.end_sessions

    def round(self, names: list[str]) -> None:
        self.seen.rounds += 1
        for name in ("new", "changed"):
            number = self.seen.rounds if name == "new" else self.dice.randrange(4)
            file = self.service.data / f"{name}-{number % 6}.bin"
            file.write_bytes(self.dice.randbytes(9_000_000 + self.dice.randrange(4_000_000)))
        before = describe(self.service.data)
        job = self.begin()
        blow = self.dice.choice(names)
        time.sleep(self.dice.uniform(0, 4))
        self.seen.blows[blow] += 1
        self.instead = job
        died, struck = self.blows[blow](job), time.time()
        last = self.end(self.instead)
        if died and (again := self.next(job)) is not None:
            self.seen.recovered.append(again.started_at.timestamp() - struck)
        self.saved[last.backup_key] = before
        self.check()
        for name, size in self.service.sizes().items():
            self.seen.sizes[name].append(size)

    def begin(self) -> Job:
        """A backup that is sending by now."""
        from backups_app import services
        from backups_app.models import Job, Trigger

        job = services.start_backup(trigger=Trigger.API, requested_by="soak")
        self.until(lambda: Job.objects.get(pk=job.pk).phase in SENDING)
        return Job.objects.get(pk=job.pk)

    def end(self, job: Job) -> Job:
        """The last attempt, which has gone well."""
        from backups_app.states import State

        self.until(lambda: self.last(job).state == State.SUCCEEDED)
        return self.last(job)

    def last(self, job: Job) -> Job:
        while again := self.next(job):
            job = again
        job.refresh_from_db()
        return job

    def next(self, job: Job) -> Job | None:
        from backups_app.models import Job

        return Job.objects.filter(retry_of=job).first()

    def until(self, true: Callable[[], bool]) -> None:
        from django.db import DatabaseError

        end = time.monotonic() + SLOW
        while time.monotonic() < end:
            try:
                if true():
                    return
            except DatabaseError:  # it is SQLite's turn to be busy
                pass
            time.sleep(0.2)
        from backups_app.models import Job

        raise AssertionError(list(Job.objects.values("state", "attempt", "error_code")[:5]))

    def kill_process(self, job: Job) -> bool:
        return self.to_owner(job, lambda pid: os.kill(pid, signal.SIGKILL))

    def kill_worker(self, job: Job) -> bool:
        strike = self.service.strike
        return self.to_owner(job, lambda pid: strike(self.service.owner_of(pid), signal.SIGKILL))

    def drain_worker(self, job: Job) -> bool:
        strike = self.service.strike
        self.to_owner(job, lambda pid: strike(self.service.owner_of(pid), signal.SIGTERM))
        return False

    def cancel(self, job: Job) -> bool:
        """It stops, if it can still be stopped, and another one is asked for."""
        from backups_app import services
        from backups_app.states import State

        try:
            services.cancel_job(job)
        except services.TooLateToCancel:
            return False
        self.until(lambda: self.last(job).state == State.CANCELLED)
        self.seen.cancelled.append((job.finished_at - job.cancel_requested_at).total_seconds())
        self.instead = self.begin()
        return False

    def to_owner(self, job: Job, blow: Callable[[int], None]) -> bool:
        """Whether it hit: the run may have ended by now."""
        job.refresh_from_db()
        try:
            blow(int(job.owner.rpartition(":")[2]))
        except (ProcessLookupError, StopIteration):
            return False
        job.refresh_from_db()
        return job.state == "RUNNING"

    def redis(self, *, forget: bool) -> bool:
        self.service.restart_redis(forget=forget)
        return False

    def end_sessions(self, _: Job) -> bool:
        """As a restart of PostgreSQL does."""
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        return False

    def part(self, name: str) -> bool:
        self.service.strike(name, signal.SIGKILL)
        return False

    def check(self) -> None:
        """I1, I2, I3, I7: of each plan one run at a time; what is listed comes back whole."""
        from backups_app.models import Job

        ran = Job.objects.filter(started_at__isnull=False).order_by("started_at")
        spans = list(ran.values_list("started_at", "finished_at"))
        for (_, ended), (begun, _) in pairwise(spans):
            assert ended, "two runs at once"
            assert ended <= begun, "two runs at once"
        listed = [one.key for one in list_backups(self.storage, self.plan)]
        assert len(listed) >= min(KEPT, len(self.saved))
        assert set(listed) <= set(self.saved), "a backup that no job has made"
        target = self.service.folder / "out"
        run_restore_to(self.plan, self.storage, Progress(), key=listed[0], target=target)
        assert describe(target) == self.saved[listed[0]], f"{listed[0]} differs"
        shutil.rmtree(target)
        self.seen.compared += 1


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=float, default=60)
    options.add_argument("--rounds", type=int, default=10**9)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--database", default="", help="a PostgreSQL; SQLite when not given")
    options.add_argument("--only", action="append", help="these blows alone (may be repeated)")
    options.add_argument("--report", type=Path, help="a file that is written anew each round")
    wanted = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="tarkeep-soak-") as folder:
        server = start_seaweed(Path(folder) / "s3", max_volumes=50)
        try:
            config = StorageConfig(
                "soak",
                access_key=server.access_key,
                secret_key=server.secret_key,
                endpoint=server.endpoint,
            )
            s3_client(config).create_bucket(Bucket="soak")
            with rough(server, wanted.seed) as endpoint:
                seen = watch(Path(folder), config, endpoint, wanted)
        finally:
            server.stop()
    print(json.dumps(seen.as_dict(), indent=2))
    sys.exit(bool(seen.broken))


def watch(folder: Path, config: StorageConfig, endpoint: str, wanted: argparse.Namespace) -> Seen:
    database = wanted.database or f"sqlite:///{folder}/service.sqlite3"
    more = {"BACKUP_UPLOAD_LIMIT": LINE, "BACKUP_MAX_BACKUPS": str(KEPT)}
    service = Service(folder / "service", replace(config, endpoint=endpoint), database, more)
    try:
        os.environ.update(service.environment)
        _migrate()
        service.start()
        one = Watch(service, config, wanted.seed)
        names = wanted.only or list(one.blows)
        began = time.monotonic()
        while time.monotonic() - began < wanted.minutes * 60 and one.seen.rounds < wanted.rounds:
            try:
                one.round(names)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told
                one.seen.broken.append(f"round {one.seen.rounds}: {error!r}")
                _keep_logs(service, wanted.report)
                break
            finally:
                if wanted.report:
                    wanted.report.write_text(json.dumps(one.seen.as_dict(), indent=2))
        return one.seen
    finally:
        service.stop()


def _migrate() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def _keep_logs(service: Service, report: Path | None) -> None:
    if report:
        shutil.copytree(service.folder / "logs", report.with_suffix(".logs"), dirs_exist_ok=True)


if __name__ == "__main__":
    main()
