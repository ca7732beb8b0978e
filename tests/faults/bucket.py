"""What the tests of storage that fails, lies or is shared have in common (rows 30 to 52).

After each row the invariants of storage hold: nothing half is listed, what is listed comes back
byte for byte, no upload outlives its run by more than the janitor allows, and no fault costs a
backup that was there.
"""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.engine.test_backup import untar
from tests.engine.trees import describe
from tests.support.fault_proxy import Answer, FaultProxy
from worker.engine import crashpoints
from worker.engine.backup import BackupResult, run_backup
from worker.engine.catalogue import list_backups
from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.naming import archive_of
from worker.engine.progress import Progress, SourceWarning
from worker.engine.storage.found_out import record_key
from worker.engine.storage.s3 import Patience, S3Storage, open_storage
from worker.engine.verify import run_verify

NOW = datetime(2026, 1, 2, tzinfo=UTC)
QUICK = Patience(attempts=1, seconds=30, connect=10, read=30)
ONCE = Patience(attempts=1, seconds=0, connect=10, read=30)
# What rclone's server does not do: copy parts, look at the time of a request.
SEAWEEDFS = pytest.mark.parametrize("place", ["seaweedfs http", "seaweedfs https"], indirect=True)
PART, COMPLETE = "partNumber=", "uploadId="


def refusal(status: int, code: str) -> Answer:
    return Answer(status, [], f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode())


BUSY = refusal(503, "SlowDown")
DENIED = refusal(403, "AccessDenied")


@dataclass
class Place:
    """A bucket on one of the servers, in one of the ways to reach it: `config` leads through the
    proxy, which spoils requests when told to. `server`: "seaweedfs" or "rclone"."""

    server: str
    config: StorageConfig
    proxy: FaultProxy


@dataclass
class Heard(Progress):
    warnings: list[SourceWarning] = field(default_factory=list)

    def warn(self, warning: SourceWarning) -> None:
        self.warnings.append(warning)


def backup(
    plan: PlanConfig, storage: S3Storage, days: int = 0, progress: Progress | None = None
) -> BackupResult:
    return run_backup(plan, storage, progress or Progress(), now=NOW + timedelta(days=days))


def whole(plan: PlanConfig, config: StorageConfig, key: str, place: Path) -> None:
    """The backup is listed, verifies, and unpacks to what the data folder holds."""
    storage = open_storage(config)
    assert key in {one.key for one in list_backups(storage, plan)}
    archive = b"".join(storage.get(key))
    made = next(one.metadata for one in list_backups(storage, plan) if one.key == key)
    assert made is not None
    if not made.bytes_copied:  # else the checksum is that of its segments
        assert made.checksum == f"sha256:{hashlib.sha256(archive).hexdigest()}"
    run_verify(plan, storage, Progress(), key=key)
    assert describe(untar(archive, place)) == describe(plan.data_dir)


def nothing_half(plan: PlanConfig, config: StorageConfig, *, listed: int) -> None:
    """No open upload, and no object that belongs to no listed backup."""
    storage = open_storage(config)
    backups = {one.key for one in list_backups(storage, plan)}
    assert len(backups) == listed
    assert list(storage.uploads("")) == []
    keys = {found.key for found in storage.list("")} - {record_key(plan)}
    assert {archive_of(plan, key) for key in keys} <= backups


def killed(point: str, run: Callable[[], object]) -> None:
    """The run, in a process of its own, dies there by SIGKILL."""
    child = os.fork()
    if child == 0:
        try:
            name, _, times = point.partition(":")
            crashpoints._NAME, crashpoints._left = name, int(times or 1)
            run()
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
