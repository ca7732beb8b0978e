"""Row 87 of the fault matrix: what earlier versions have left is taken over by this one.

`tests/fixtures` holds what they wrote: backups as they lay in the bucket, with `expected.json` (the
passphrase, and each entry: SHA-256, target of a link, or folder), and a database. They are never
written anew; a later version adds to them. `first` is the first version that made whole backups,
`incremental` the first ones that take over what did not change.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.memory_storage import MemoryStorage
from worker.engine.backup import run_backup
from worker.engine.catalogue import list_backups
from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.errors import ArchiveError
from worker.engine.naming import index_key
from worker.engine.progress import Progress
from worker.engine.restore import run_restore
from worker.engine.restore_to import run_restore_to
from worker.engine.verify import run_verify

FIXTURES = Path(__file__).parents[1] / "fixtures"
ARCHIVES = sorted(path.name for path in (FIXTURES / "archives").iterdir())
ROOT = Path(__file__).parents[2]


@dataclass
class Old:
    """A bucket as an earlier version has left it."""

    storage: MemoryStorage
    plan: PlanConfig
    entries: dict[str, str]


@pytest.fixture(params=ARCHIVES)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Old:
    folder = FIXTURES / "archives" / request.param
    told = json.loads((folder / "expected.json").read_text())
    storage = MemoryStorage()
    for file in folder.glob("*.tar.gz*"):
        storage.put(f"backups/{file.name}", file.read_bytes())
    plan = PlanConfig(
        data_dir=tmp_path / "data", temp_dir=tmp_path / "temp", encryption_key=told["passphrase"]
    )
    return Old(storage, plan, told["entries"])


def entries(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"-> {os.readlink(path)}"
        elif path.is_dir():
            found[name] = "folder"
        else:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


@pytest.mark.invariant("I2")
@pytest.mark.parametrize("index", [True, False], ids=["with index", "without"])
def test_row_87_every_backup_of_an_earlier_version_verifies_and_comes_back(
    old: Old, index: bool
) -> None:
    found = list_backups(old.storage, old.plan)
    for backup in found:
        run_verify(old.plan, old.storage, Progress(), key=backup.key)
    if not index:
        old.storage.delete(index_key(found[0].key))
        with pytest.raises(ArchiveError, match="index") as caught:
            run_verify(old.plan, old.storage, Progress(), key=found[0].key)
        assert caught.value.code == "INDEX_MISSING"
    run_restore(old.plan, old.storage, Progress(), key=found[0].key, now=datetime.now(UTC))
    target = old.plan.data_dir
    assert entries(target) == old.entries
    assert (target / "state.json").stat().st_mode & 0o777 == 0o640
    assert (target / "media.bin").stat().st_mtime == 1_700_000_000
    assert (target / "same.json").samefile(target / "state.json")


def test_row_87_the_next_backup_goes_on_from_one_of_an_earlier_version(old: Old) -> None:
    newest = list_backups(old.storage, old.plan)[0].key
    run_restore(old.plan, old.storage, Progress(), key=newest, now=datetime.now(UTC))
    (old.plan.data_dir / "new.txt").write_text("new")
    made = run_backup(old.plan, old.storage, Progress(), now=datetime.now(UTC))
    run_verify(old.plan, old.storage, Progress(), key=made.key)
    target = old.plan.temp_dir / "out"
    run_restore_to(old.plan, old.storage, Progress(), key=made.key, target=target)
    new = hashlib.sha256(b"new").hexdigest()
    assert entries(target) == {**old.entries, "new.txt": new}


UPGRADE = """
from django.conf import settings
from django.core.management import call_command
call_command("migrate", verbosity=0)
from backups_app.models import Job
from worker.reaper import reap
from worker.tasks import run_job
reap(settings.TARKEEP)
waiting = Job.objects.active().get()
run_job(str(waiting.pk))
names = ("kind", "state", "attempt", "requested_by", "error_code", "cleaned_up")
print(__import__("json").dumps(list(Job.objects.order_by("created_at").values(*names))))
"""


def test_row_87_a_job_that_ran_while_the_service_was_replaced_is_run_again(
    tmp_path: Path, storage_config: StorageConfig
) -> None:
    database = tmp_path / "service.sqlite3"
    with closing(sqlite3.connect(database)) as written:
        written.executescript((FIXTURES / "database" / "first.sql").read_text())
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "state.json").write_text("{}")
    done, lost, again = upgraded(tmp_path, database, storage_config)
    assert (done["state"], done["error_code"]) == ("SUCCEEDED", "")
    assert (lost["state"], lost["error_code"], lost["cleaned_up"]) == ("LOST", "LEASE_LOST", True)
    assert (again["state"], again["attempt"], again["requested_by"]) == ("SUCCEEDED", 2, "ana")


def upgraded(folder: Path, database: Path, bucket: StorageConfig) -> list[dict[str, Any]]:
    """The jobs after this version has started on the database and run what waited."""
    env = os.environ | {
        "DJANGO_SETTINGS_MODULE": "backup_project.settings",
        "DATABASE_URL": f"sqlite:///{database}",
        "BACKUP_S3_BUCKET": bucket.bucket,
        "BACKUP_S3_ENDPOINT": bucket.endpoint,
        "BACKUP_S3_ACCESS_KEY": bucket.access_key,
        "BACKUP_S3_SECRET_KEY": bucket.secret_key,
        "BACKUP_DATA_DIR": str(folder / "data"),
        "BACKUP_TEMP_DIR": str(folder / "temp"),
        "LOGS_PATH": str(folder / "logs"),
    }
    code = f"import django; django.setup()\n{UPGRADE}"
    ran = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    jobs: list[dict[str, Any]] = json.loads(ran.stdout.splitlines()[-1])
    return jobs
